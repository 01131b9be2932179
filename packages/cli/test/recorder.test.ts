import { expect, test } from 'vitest'
import { Recorder } from '../src/recording/recorder.ts'

const receivedAt = '2026-01-31T12:00:00.000Z'
const recordOf = (n: number, padding = '') => ({
  stream: 'a',
  sid: `TZ${n}`,
  data: { n, padding },
  receivedAt,
})

/** A disk that writes nothing before the test releases it. */
function slowDisk() {
  let text = ''
  let proceed = () => {}
  const isFree = new Promise<void>((resolve) => {
    proceed = resolve
  })
  const sink = {
    open: async () => {},
    async write(more: string) {
      await isFree
      text += more
    },
    close: async () => {},
  }
  return {
    sink,
    proceed,
    numbers: () =>
      text
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line).data.n),
  }
}

test('a slow disk drops and counts messages, and the rest is complete and in order', async () => {
  const { sink, proceed, numbers } = slowDisk()
  const recorder = new Recorder(sink, Infinity, () => {})
  await recorder.open()
  const padding = 'x'.repeat(1024 * 1024)
  for (let n = 1; n <= 20; n++) recorder.take(recordOf(n, padding))
  expect([recorder.messages, recorder.dropped]).toEqual([15, 5])
  recorder.take(recordOf(21))
  proceed()
  await recorder.finish()
  recorder.take(recordOf(22))
  expect(numbers()).toEqual([...Array.from({ length: 15 }, (_, index) => index + 1), 21])
  expect(recorder.bytes).toBeGreaterThan(15 * padding.length)
})

test('a recorder buffers messages until it is open, and takes at most the number asked', async () => {
  const { sink, proceed, numbers } = slowDisk()
  proceed()
  const recorder = new Recorder(sink, 3, () => {})
  for (let n = 1; n <= 5; n++) recorder.take(recordOf(n))
  expect([recorder.messages, recorder.isFull, numbers()]).toEqual([3, true, []])
  await recorder.open()
  await recorder.finish()
  expect(numbers()).toEqual([1, 2, 3])
})

test('a disk that fails is reported once, and takes no more', async () => {
  let failures = 0
  const sink = { open: async () => {}, write: () => Promise.reject(new Error('full')), close: async () => {} }
  const recorder = new Recorder(sink, Infinity, () => {
    failures += 1
  })
  await recorder.open()
  recorder.take(recordOf(1))
  await recorder.finish()
  recorder.take(recordOf(2))
  await recorder.finish()
  expect([failures, recorder.messages, recorder.bytes]).toEqual([1, 1, 0])
  expect(recorder.failure).toMatchObject({ message: 'full' })
})
