import { expect, onTestFinished, test } from 'vitest'
import { bundleProgram } from '../../../../test/support/bundle-program.ts'
import { startScript } from '../../../../test/support/program.ts'

const TIMEOUT_MS = 60_000

test('a timer that requests share keeps nothing of the request that set it', {
  timeout: TIMEOUT_MS,
}, async () => {
  const program = startScript(
    bundleProgram('packages/gateway/test/gateway/contexts-process.ts'),
    [],
    ['--expose-gc'],
  )
  onTestFinished(() => program.kill())
  expect(await program.json<string[]>('kept ')).toEqual([])
  expect(await program.ended).toEqual({ code: 0, signal: null, stderr: '' })
})
