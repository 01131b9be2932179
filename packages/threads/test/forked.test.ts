import { fork } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { bundleProgram } from '../../../test/support/bundle-program.ts'

const program = bundleProgram(fileURLToPath(new URL('forked-program.ts', import.meta.url)))

test.each([
  ['threads', 'fork'],
  ['threads', 'cluster'],
  ['memory', 'fork'],
  ['memory', 'cluster'],
])('a hub on %s: reports that it is alone in a process of %s', async (scheme, how) => {
  const child = fork(program, [`${scheme}:test-${crypto.randomUUID()}`, how], { silent: true })
  const printed = text(child.stdout as NodeJS.ReadableStream)
  const ended = once(child, 'exit')
  if (how === 'cluster') child.disconnect() // the primary ends with its worker
  const [exitCode] = await ended
  expect({ printed: await printed, exitCode }).toEqual({ printed: 'error ALONE_IN_PROCESS\n', exitCode: 0 })
})
