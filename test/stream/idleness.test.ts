import { memoryBus } from '@rivulet/memory'
import { createHub, type Hub, type Stream } from 'rivulet'
import { createHubIn } from 'rivulet/testing'
import { describe, expect, test, vi } from 'vitest'
import { DriftingClocks, TrueTime } from '../support/drifting-clocks.ts'
import { pass, stopTime } from '../support/fake-time.ts'

stopTime()

const options = { idleTtlSeconds: 10 }
/** A moment less than that. */
const NEARLY_MS = 9_999

function idleStream(hub: Hub = createHub()): { hub: Hub; stream: Stream; closed: ReturnType<typeof vi.fn> } {
  const closed = vi.fn()
  const stream = hub.stream('s', options).on('closed', closed) as Stream
  return { hub, stream, closed }
}

describe('the idle time to live of a stream', () => {
  test('is 0, never, unless it is set', () => {
    createHub().stream('s')
    expect(vi.getTimerCount()).toBe(0)
  })

  test('closes the stream in this process when it is over, and not before', () => {
    const { hub, stream, closed } = idleStream()
    const removed = vi.fn()
    stream.on('removed', removed)
    hub.on('streamRemoved', removed)
    vi.advanceTimersByTime(NEARLY_MS)
    expect(stream.closed).toBe(false)
    vi.advanceTimersByTime(1)
    expect(closed.mock.calls).toEqual([[{ reason: 'idle', isLocal: true }]])
    expect(stream.tryPublish({})).toMatchObject({ code: 'STREAM_CLOSED' })
    expect(removed).not.toHaveBeenCalled()
    expect(hub.stream('s', options)).not.toBe(stream)
  })

  test.each<[string, (stream: Stream, hub: Hub) => unknown]>([
    ['a publish', (stream) => stream.publish({})],
    ['a subscriber that leaves', (stream) => stream.subscribe(() => {}).unsubscribe()],
    ['an observer that leaves', (stream) => stream.messages$.subscribe(() => {}).unsubscribe()],
    ['an iterator that ends', (stream) => stream.iterate().return()],
    ['a handle that is released', (_, hub) => hub.acquire('s').release()],
    ['hub.stream', (_, hub) => hub.stream('s')],
  ])('starts anew with %s', (_, use) => {
    const { hub, stream } = idleStream()
    vi.advanceTimersByTime(NEARLY_MS)
    use(stream, hub)
    vi.advanceTimersByTime(NEARLY_MS)
    expect(stream.closed).toBe(false)
    vi.advanceTimersByTime(1)
    expect(stream.closed).toBe(true)
    expect(vi.getTimerCount()).toBe(0)
  })

  test.each<[string, (stream: Stream, hub: Hub) => () => unknown]>([
    [
      'a subscriber',
      (stream) =>
        bound(
          stream.subscribe(() => {}),
          'unsubscribe',
        ),
    ],
    [
      'an observer',
      (stream) =>
        bound(
          stream.messages$.subscribe(() => {}),
          'unsubscribe',
        ),
    ],
    ['an iterator', (stream) => bound(stream.iterate(), 'return')],
    ['a handle', (_, hub) => bound(hub.acquire('s'), 'release')],
  ])('stands still while there is %s, and no timer runs for long', (_, use) => {
    const { hub, stream } = idleStream()
    const end = use(stream, hub)
    vi.advanceTimersByTime(10_000)
    expect(vi.getTimerCount()).toBe(0)
    vi.advanceTimersByTime(1e6)
    stream.publish({})
    expect([stream.closed, vi.getTimerCount()]).toEqual([false, 0])
    end()
    vi.advanceTimersByTime(NEARLY_MS)
    expect(stream.closed).toBe(false)
    vi.advanceTimersByTime(1)
    expect(stream.closed).toBe(true)
  })

  test('stands still while one of several subscribers or handles is left', () => {
    const { hub, stream } = idleStream()
    const [a, b] = [stream.subscribe(() => {}), stream.subscribe(() => {})]
    const [c, d] = [hub.acquire('s'), hub.acquire('s')]
    for (const end of [() => a.unsubscribe(), () => c.release(), () => b.unsubscribe()]) {
      end()
      vi.advanceTimersByTime(50_000)
      expect(stream.closed).toBe(false)
    }
    d.release()
    vi.advanceTimersByTime(10_000)
    expect(stream.closed).toBe(true)
  })

  test('stops while a message or a kept value waits, and starts anew when it is given up', async () => {
    const limit = { ratePerSecond: 0.01, burst: 1 }
    const stream = createHub().stream('s', { ...options, limit })
    stream.publish({})
    stream.publishLatest({})
    await pass(99_000, 1_000)
    expect([stream.closed, stream.ledger().waiting]).toEqual([false, 1])
    await pass(1_000)
    expect(stream.ledger()).toMatchObject({ waiting: 0, accepted: 2 })
    const cancel = new AbortController()
    stream.publishWhenReady({}, { signal: cancel.signal })
    await pass(17_000, 1_000)
    cancel.abort()
    await pass(9_999, 1_000)
    expect(stream.closed).toBe(false)
    await pass(1)
    expect(stream.closed).toBe(true)
  })

  test('needs one timer each time, however often the stream is published to', () => {
    const setTimer = vi.spyOn(globalThis, 'setTimeout')
    const stream = createHub().stream('s', { ...options, limit: false })
    for (let n = 0; n < 30_000; n++) {
      vi.advanceTimersByTime(1)
      stream.publish({ n })
    }
    expect(setTimer.mock.calls.length).toBeLessThanOrEqual(4)
    expect(stream.closed).toBe(false)
    setTimer.mockRestore()
  })

  test('is not moved by a publish that is refused', () => {
    const { stream } = idleStream()
    vi.advanceTimersByTime(NEARLY_MS)
    stream.tryPublish({ n: 1n as never })
    vi.advanceTimersByTime(1)
    expect(stream.closed).toBe(true)
  })

  test('goes beside ttlSeconds: the one that is over first ends the stream', () => {
    const hub = createHub()
    const reasons: string[] = []
    const note = ({ reason }: { readonly reason: string }) => reasons.push(reason)
    hub.stream('a', { ...options, ttlSeconds: 5 }).on('closed', note)
    hub.stream('b', { ...options, ttlSeconds: 20 }).on('closed', note)
    vi.advanceTimersByTime(30_000)
    expect(reasons).toEqual(['expired', 'idle'])
  })

  test('may be an option of all streams of a hub', () => {
    const hub = createHub({ streamDefaults: options, streams: { kept: { idleTtlSeconds: 0 } } })
    const [a, kept] = [hub.stream('a'), hub.stream('kept')]
    vi.advanceTimersByTime(10_000)
    expect([a.closed, kept.closed]).toEqual([true, false])
  })

  test('leaves no timer on a stream that the clock of the program ends when it is read', () => {
    let read = () => {}
    const nowMs = () => {
      read()
      return performance.now()
    }
    const { stream, closed } = idleStream(createHub({ nowMs }))
    vi.advanceTimersByTime(5_000)
    stream.publish({})
    read = () => stream.close()
    vi.advanceTimersByTime(5_000)
    expect(closed.mock.calls).toEqual([[{ reason: 'closed', isLocal: true }]])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('leaves no timer on a stream that has ended, whatever is released later', () => {
    const { hub, stream } = idleStream()
    const handle = hub.acquire('s')
    stream.close()
    handle.release()
    expect(vi.getTimerCount()).toBe(0)
  })

  test('leaves the streams of other processes alone, and sends what was accepted', async () => {
    const bus = memoryBus()
    const [here, there] = [
      createHub({ transport: bus.transport() }),
      createHub({ transport: bus.transport() }),
    ]
    const seen = vi.fn()
    const other = there.stream('s')
    const ready = other.subscribe(({ data }) => seen(data)).ready
    await pass(100)
    await ready
    const { stream, closed } = idleStream(here)
    await pass(NEARLY_MS, 1_000)
    stream.publish({ n: 1 })
    await pass(10_000, 1_000)
    expect([closed.mock.calls.length, other.closed, seen.mock.calls]).toEqual([1, false, [[{ n: 1 }]]])
    await Promise.all([pass(1_000), here.close(), there.close()])
  })
})

describe('a machine that stood still', () => {
  test('gives a stream its whole idle time anew, also where the clock went on', async () => {
    const time = new TrueTime()
    const machine = new DriftingClocks(time, 0, 0)
    const stream = createHubIn(machine).stream('s', options)
    await time.pass(5_000)
    await time.pass(3_600_000, machine)
    expect(stream.closed).toBe(false)
    machine.step(3_600_000) // as the monotonic clock of a machine does that counts its sleep
    await time.pass(5_000)
    expect(stream.closed).toBe(false)
    await time.pass(9_000)
    expect(stream.closed).toBe(false)
    await time.pass(1_000)
    expect(stream.closed).toBe(true)
  })

  test('does not end a stream that was published to as it woke', async () => {
    const time = new TrueTime()
    const machine = new DriftingClocks(time, 0, 0)
    const stream = createHubIn(machine).stream('s', options)
    machine.step(3_600_000)
    stream.publish({})
    await time.pass(10_000)
    expect(stream.closed).toBe(false)
    await time.pass(10_000)
    expect(stream.closed).toBe(true)
  })
})

function bound<Name extends string>(target: Record<Name, () => unknown>, name: Name): () => unknown {
  return () => target[name]()
}
