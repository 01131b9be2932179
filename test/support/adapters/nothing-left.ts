import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { expect } from 'vitest'
import { bundleProgram } from '../bundle-program.ts'

/** Runs a program of `runRounds` in a process of its own, which ends only if nothing keeps it alive. */
export async function expectNothingLeft(program: URL, targets: readonly string[]): Promise<void> {
  const { stdout, stderr } = await execa('node', [bundleProgram(fileURLToPath(program)), ...targets])
  const { before, after, downs } = JSON.parse(stdout)
  expect(after).toEqual(before)
  expect(downs).toBe(0)
  expect(stderr).toBe('')
}
