import { expect, test } from 'vitest'
import { CliProcess, runCli } from './support/cli-process.ts'
import { fileOf, recordingOf } from './support/recording.ts'

const ENDLESS = '?loop=true&speed=max'

test.each([
  ['sub', ['sub', 's0', 's1']],
  ['record', ['record', '-']],
  ['tap', ['tap', '--ndjson', '--every', '10ms']],
])('%s ends in good order with one sentence when its output can not be written', async (_, args) => {
  const url = `replay:${recordingOf(10)}${ENDLESS}`
  const { exitCode, stderr } = await runCli([...args, '--url', url], { stdout: '/dev/full' })
  expect(stderr).toMatch(/\nrivulet: Standard output can't be written any further: .*ENOSPC.*\.\n$/)
  expect(stderr.split('\n')).toHaveLength(4)
  expect(exitCode).toBe(1)
})

test('a command that only prints fails when its output can not be written', async () => {
  const { exitCode, stderr } = await runCli(['context', 'ls', '--json'], { stdout: '/dev/full' })
  expect(stderr).toMatch(/^rivulet: Standard output can't be written any further: .*ENOSPC.*\.\n$/)
  expect(exitCode).toBe(1)
})

test('sub drops and counts messages that its reader does not take, and still ends', async () => {
  const record = (n: number) =>
    JSON.stringify({
      stream: 'a',
      sid: `TZ${'0'.repeat(32)}`,
      data: { n, text: 'x'.repeat(60_000) },
      receivedAt: '2026-01-31T12:00:00.000Z',
    })
  const url = `replay:${fileOf([record(1), record(2)])}${ENDLESS}`
  const running = new CliProcess(['sub', 'a', '--count', '600', '--url', url])
  running.stall()
  await running.says(
    /received 600, 0 missed\nrivulet: \d\d+ messages not printed, since the reader was too slow/,
  )
  running.kill('SIGINT')
  expect(await running.exited()).toBe(1)
  expect(running.stderr).toContain('The reader of standard output did not take all of it.')
})
