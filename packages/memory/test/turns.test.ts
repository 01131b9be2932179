import { type MemoryBusOptions, memoryBus } from '@rivulet/memory'
import { createHub } from 'rivulet'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { endless } from '../../../test/support/adapters/waits.ts'
import { clientOf, connect, send, TOPIC, tick } from './client.ts'

// Taken before the timers are faked: the end of a real task, during which the fake clock is stopped.
const { setImmediate: afterTask } = globalThis
const nextTask = () => new Promise((resolve) => afterTask(resolve))

afterEach(() => {
  vi.useRealTimers()
})

describe('under fake timers', () => {
  test('a bus without delay opens, joins, delivers and closes at a stopped clock', async () => {
    vi.useFakeTimers()
    const bus = memoryBus({ loss: 0.5, duplicate: 0.5 })
    const [a, b] = [await connect(bus), await connect(bus, TOPIC)]
    for (let nth = 0; nth < 100; nth += 1) send(a, String(nth))
    await a.transport.flush(endless)
    for (const { transport } of [a, b]) await transport.close(endless)
    expect(b.host.texts().length).toBeGreaterThan(0)
    expect(bus.counts().inFlight).toBe(0)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('a bus delivers in any number of tasks at a stopped clock', async () => {
    vi.useFakeTimers()
    const bus = memoryBus()
    const [a, b] = [await connect(bus), await connect(bus, TOPIC)]
    for (let nth = 1; nth <= 5000; nth += 1) {
      send(a, 'x')
      await nextTask()
      expect(b.host.texts()).toHaveLength(nth)
    }
    expect(vi.getTimerCount()).toBe(0)
  })

  test('hubs reach each other at a stopped clock', async () => {
    vi.useFakeTimers()
    const bus = memoryBus()
    const here = createHub({ transport: bus.transport() })
    const there = createHub({ transport: bus.transport() })
    const heard: unknown[] = []
    await there.stream('a').subscribe(({ data }) => heard.push(data)).ready
    await here.ready()
    here.stream('a').publish({ truck: 7 })
    await nextTask()
    expect(heard).toEqual([{ truck: 7 }])
    const closed = Promise.all([here.close(), there.close()])
    // The core's barriers keep a distance in time, and closing waits for one.
    await vi.advanceTimersByTimeAsync(100)
    await closed
  })

  test('delayed frames follow the clock', async () => {
    vi.useFakeTimers()
    const bus = memoryBus({ delayMs: [1000, 1000] })
    const [a, b] = [await connect(bus), await connect(bus, TOPIC)]
    send(a, 'late')
    await a.transport.flush(endless)
    await vi.advanceTimersByTimeAsync(999)
    expect(b.host.texts()).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(b.host.texts()).toEqual(['late'])
  })

  test('a bus that was made before follows them too', async () => {
    const bus = memoryBus({ delayMs: [60_000, 60_000] })
    const [a, b] = [await connect(bus), await connect(bus, TOPIC)]
    vi.useFakeTimers()
    send(a, 'late')
    await vi.advanceTimersByTimeAsync(60_000)
    expect(b.host.texts()).toEqual(['late'])
  })
})

/** Bound on an exchange that starves timers. */
const MOST_ANSWERS = 100_000

describe('timers run while two transports answer each other without end', () => {
  const answers: readonly [when: string, later: (answer: () => void) => void][] = [
    ['at once', (answer) => answer()],
    ['in a microtask', (answer) => queueMicrotask(answer)],
    ['after some awaits', (answer) => void afterAwaits(8).then(answer)],
  ]
  test.each(answers)('%s', async (_when, later) => {
    const bus = memoryBus()
    const [a, b] = [clientOf(bus.transport()), clientOf(bus.transport())]
    let isOver = false
    let answers = 0
    for (const { transport, host } of [a, b]) {
      const answer = () => void (isOver || ++answers > MOST_ANSWERS || transport.send(TOPIC, 'answer'))
      host.onReceive = () => later(answer)
      await transport.open(host, endless)
      await transport.join(TOPIC, endless)
    }
    send(a, 'first')
    await tick()
    await tick()
    isOver = true
    expect(bus.counts().delivered).toBeGreaterThan(1000)
    expect(answers).toBeLessThan(MOST_ANSWERS)
  })

  test('through hubs', async () => {
    const bus = memoryBus()
    const hubs = [bus, bus].map((bus) => createHub({ transport: bus.transport() }))
    let heard = 0
    for (const hub of hubs) {
      const stream = hub.stream('a', { limit: false })
      await stream.subscribe(({ isLocal }) => {
        heard += 1
        if (!isLocal && hub.status === 'up' && heard < MOST_ANSWERS) stream.publish({})
      }).ready
    }
    hubs[0]?.stream('a', { limit: false }).publish({})
    await tick()
    await tick()
    await Promise.all(hubs.map((hub) => hub.close()))
    expect(heard).toBeGreaterThan(1000)
    expect(heard).toBeLessThan(MOST_ANSWERS)
  })
})

describe('an environment', () => {
  test('is the only clock and the only timer of a bus', async () => {
    let nowMs = 0
    const timers = new Map<number, () => void>()
    const environment: MemoryBusOptions['environment'] = {
      nowMs: () => nowMs,
      setTimer(action, waitMs, holdsProcess) {
        expect(holdsProcess).toBe(true)
        timers.set(nowMs + waitMs, action)
        return () => void timers.delete(nowMs + waitMs)
      },
    }
    vi.useFakeTimers()
    const bus = memoryBus({ delayMs: [5, 5], environment })
    const [a, b] = [await connect(bus), await connect(bus, TOPIC)]
    send(a, 'late')
    await vi.advanceTimersByTimeAsync(60_000)
    expect(vi.getTimerCount()).toBe(0)
    expect([b.host.texts(), [...timers.keys()]]).toEqual([[], [5]])
    nowMs = 5
    timers.get(5)?.()
    expect(b.host.texts()).toEqual(['late'])
  })
})

async function afterAwaits(count: number): Promise<void> {
  for (let nth = 0; nth < count; nth += 1) await undefined
}
