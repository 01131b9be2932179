import { threads } from '@rivulet/threads'
import { RecordingHost } from 'rivulet/testing'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { topicOf } from '../../../src/message/topic.ts'
import { endless } from '../../../test/support/adapters/waits.ts'
import { startThread } from './thread.ts'

const TOPIC = topicOf('default', 'numbers')
const FRAMES = 500

/** Opens a transport that the test closes. */
async function open(name: string) {
  const transport = threads(name)
  const host = new RecordingHost()
  await transport.open(host, endless)
  onTestFinished(() => transport.close(AbortSignal.abort()))
  return { transport, host }
}

/** Simulates a transport of another thread that announces itself and answers nothing: blocked, or terminated. */
async function silentOther(
  name: string,
  id = 'f'.repeat(32),
): Promise<{ readonly id: string; readonly channel: BroadcastChannel }> {
  const channel = new BroadcastChannel(`rivulet/threads/${name}`)
  onTestFinished(() => channel.close())
  const met = new Promise<void>((resolve) => {
    channel.onmessage = ({ data }) => data.to === id && resolve()
  })
  channel.postMessage({ ask: id, position: 1, posts: 0 })
  await met
  return { id, channel }
}

test('flush resolves when the other threads have read all frames sent', async () => {
  const name = `test-${crypto.randomUUID()}`
  const read = new Int32Array(new SharedArrayBuffer(4))
  const { transport } = await open(name)
  const reader = startThread('counting-thread.ts', { name, topic: TOPIC, read: read.buffer })
  await new Promise((resolve) => reader.worker.once('message', resolve))
  for (let round = 1; round <= 10; round += 1) {
    // More than a megabyte: a barrier waits longest for that, also on a busy machine.
    for (let nth = 0; nth < FRAMES; nth += 1) transport.send(TOPIC, 'x'.repeat(4_000))
    await transport.flush(endless)
    expect(Atomics.load(read, 0)).toBe(round * FRAMES)
  }
  await reader.worker.terminate()
})

describe('a thread that does not answer', () => {
  const setUp = async () => {
    const name = `test-${crypto.randomUUID()}`
    const { transport, host } = await open(name)
    await transport.join(TOPIC, endless)
    const other = await silentOther(name)
    let fences = 0
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    onTestFinished(() => void vi.useRealTimers())
    /** Posts, and waits until the transport has read it, and all before: by a frame that follows. */
    const post = async (...posts: object[]) => {
      const heard = host.frames.length
      for (const each of [...posts, [other.id, ++fences, TOPIC, 'fence']]) other.channel.postMessage(each)
      while (host.frames.length === heard) await new Promise(setImmediate)
    }
    return { name, transport, host, other, post }
  }
  /** Resolves to the milliseconds of the fake clock until a flush resolves, in steps of 50. */
  const msOf = async (flush: Promise<void>) => {
    let isOver = false
    const over = flush.then(() => {
      isOver = true
    })
    let waitedMs = 0
    for (; !isOver; waitedMs += 50) {
      await vi.advanceTimersByTimeAsync(50)
      if (waitedMs > 10_000) throw new Error('The flush does not resolve.')
    }
    await over
    return waitedMs
  }

  test('delays a barrier a little, and a barrier over a megabyte more', async () => {
    const { transport } = await setUp()
    transport.send(TOPIC, 'little')
    expect(await msOf(transport.flush(endless))).toBe(150)
    transport.send(TOPIC, new Uint8Array(1_100_000))
    expect(await msOf(transport.flush(endless))).toBe(1_050)
  })

  test('is far behind from more than a megabyte on, even if another one is not', async () => {
    const { transport, name } = await setUp()
    transport.send(TOPIC, new Uint8Array(1024 * 1024 - 3))
    expect(await msOf(transport.flush(endless))).toBe(150)
    vi.useRealTimers()
    await silentOther(name, 'e'.repeat(32))
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    expect(await msOf(transport.flush(endless))).toBe(1_050)
  })

  test('is not waited for after ten seconds, until it posts again', async () => {
    const { transport, other, post } = await setUp()
    expect(await msOf(transport.flush(endless))).toBe(150)
    await vi.advanceTimersByTimeAsync(10_000)
    expect(await msOf(transport.flush(endless))).toBe(150)
    expect(await msOf(transport.flush(endless))).toBe(50)
    await post({ ask: other.id, position: 2, posts: 0 })
    expect(await msOf(transport.flush(endless))).toBe(150)
  })

  test('is not waited for once it has closed', async () => {
    const { transport, other, post } = await setUp()
    await post({ end: other.id })
    expect(await msOf(transport.flush(endless))).toBe(50)
  })

  test('cannot make the table of the others grow without bound', async () => {
    const { transport, host, other, post } = await setUp()
    const ids = Array.from({ length: 5_000 }, (_, nth) => `${nth}`.padStart(32, '0'))
    await post(...ids.map((ask, position) => ({ ask, position, posts: 0 })))
    expect(await msOf(transport.flush(endless))).toBe(150)
    // The first 1 024 end, the silent one among them; none of the rest was recorded.
    await post({ end: other.id }, ...ids.slice(0, 1_023).map((end) => ({ end })))
    expect(await msOf(transport.flush(endless))).toBe(50)
    expect(host.downs).toEqual([])
  })
})
