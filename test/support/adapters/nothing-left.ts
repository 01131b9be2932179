import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { expect } from 'vitest'

/** Runs a program of `runRounds` in a process of its own, which ends only if nothing keeps it alive. */
export async function expectNothingLeft(program: URL, targets: readonly string[]): Promise<void> {
  const options = ['--conditions=@rivulet/source', '--import', 'tsx']
  const { stdout, stderr } = await execa('node', [...options, fileURLToPath(program), ...targets])
  const { before, after, downs } = JSON.parse(stdout)
  expect(after).toEqual(before)
  expect(downs).toBe(0)
  expect(stderr).toBe('')
}
