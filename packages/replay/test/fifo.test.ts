import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, readFileSync } from 'node:fs'
import { stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { createHub, openHub } from 'rivulet'
import { expect, onTestFinished, test } from 'vitest'
import { bundleProgram } from '../../../test/support/bundle-program.ts'
import { waitFor } from '../../../test/support/wait-for.ts'
import { Playback } from '../src/index.ts'
import { recordingFile, type Spoken } from './support/recording-file.ts'

const LINES: readonly Spoken[] = [
  ['a', { n: 1 }],
  ['b', { n: 2 }],
]
const program = bundleProgram(join(import.meta.dirname, 'support/checker.ts'))

/** Makes a FIFO without a writer, in the folder of a new recording. */
function fifoBeside(file: string): string {
  const fifo = join(dirname(file), 'fifo')
  execFileSync('mkfifo', [fifo])
  return fifo
}

test('a FIFO is no transport, and without a writer it blocks no thread', async () => {
  const file = recordingFile(LINES)
  const fifo = fifoBeside(file)
  // More than there are threads for files.
  const openings = Array.from({ length: 8 }, () => openHub(`replay:${fifo}`))
  // All at once: one that rejects before its turn would be an unhandled rejection.
  const outcomes = await Promise.allSettled(openings)
  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({
      reason: {
        code: 'TRANSPORT_FAILED',
        message: expect.stringContaining(`The recording ${fifo} can't be read: it is no regular file`),
      },
    })
  }
})

test('a playback of a FIFO waits for its writer, and can be left', async () => {
  const file = recordingFile(LINES)
  const fifo = fifoBeside(file)
  const hub = createHub()
  onTestFinished(async () => void (await hub.close()))
  const leaving = new AbortController()
  const left = new Playback(fifo)
  const leftPlay = left.play(hub, leaving.signal)
  // Opens once there is a reader. A silent writer is waited for like an absent one.
  const writer = await waitFor(() => openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK), {
    timeout: 30_000,
  })
  leaving.abort()
  await leftPlay
  closeSync(writer)
  expect(left.progress).toMatchObject({ messages: 0, passes: 1 })

  const playback = new Playback(fifo)
  expect(await playback.size()).toBeUndefined()
  const played = playback.play(hub, new AbortController().signal)
  await writeFile(fifo, readFileSync(file))
  await played
  expect(playback.progress).toMatchObject({ messages: 2, skipped: 0 })
  expect(playback.bytesRead).toBe(readFileSync(file).length)
})

test('playbacks that wait for their writers block no thread', async () => {
  const fifo = fifoBeside(recordingFile(LINES))
  const hub = createHub()
  onTestFinished(async () => {
    closeSync(openSync(fifo, constants.O_RDWR)) // frees the threads of a playback that does block them
    await hub.close()
  })
  const leaving = new AbortController()
  // More than there are threads for files.
  const playing = Array.from({ length: 8 }, () => new Playback(fifo).play(hub, leaving.signal))
  // Each has begun to open before the last of these: they take their turns with the files of the playbacks.
  for (let turn = 0; turn < 50; turn++) await stat(fifo)
  leaving.abort()
  await Promise.all(playing)
})

test.each(['<(cat "$1")', '/dev/stdin < "$1"'])('input of a shell is played: %s', async (source) => {
  const file = recordingFile(LINES)
  const { stdout } = await execa('bash', ['-c', `"$2" "$0" ${source}`, program, file, process.execPath])
  expect(stdout).toBe('2')
})
