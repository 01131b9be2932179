import { expect, onTestFinished, test } from 'vitest'
import { bundleProgram } from '../../../../test/support/bundle-program.ts'
import { startScript } from '../../../../test/support/program.ts'

const TIMEOUT_MS = 60_000

test('what requests have in common keeps nothing of the request that began it', {
  timeout: TIMEOUT_MS,
}, async () => {
  const program = startScript(
    bundleProgram('packages/gateway/test/gateway/contexts-process.ts'),
    [],
    ['--expose-gc'],
  )
  onTestFinished(() => program.kill())
  const kept = await program.json<string[]>('kept ')
  expect(kept.filter((name) => !name.startsWith('second'))).toEqual([])
  expect(await program.ended).toEqual({ code: 0, signal: null, stderr: '' })
})
