import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { bundleProgram } from '../../../test/support/bundle-program.ts'
import { startThread } from './thread.ts'

const PROGRAM = 'ending-program.ts'

test('an open hub keeps neither its process nor its thread alive', async () => {
  const name = `test-${crypto.randomUUID()}`
  const program = bundleProgram(fileURLToPath(new URL(PROGRAM, import.meta.url)))
  const { stdout, exitCode } = await execa('node', [program, name, 'leave'])
  expect({ stdout, exitCode }).toEqual({ stdout: 'subscribed', exitCode: 0 })
  await startThread(PROGRAM, { name, what: 'leave' }).ended
})

test("a program's await resolves, in a process and in a thread", async () => {
  const name = `test-${crypto.randomUUID()}`
  const program = bundleProgram(fileURLToPath(new URL(PROGRAM, import.meta.url)))
  const { stdout, exitCode } = await execa('node', [program, name, 'await'])
  expect({ stdout, exitCode }).toEqual({ stdout: 'subscribed\nflushed\nclosed', exitCode: 0 })
  await startThread(PROGRAM, { name, what: 'await' }).ended
})
