import { createHub, type StreamEvents, type StreamOptions } from 'rivulet'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { OTHER_ORIGIN, openScene, tick, wire } from '../support/remote-scene.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)
const OTHER = '00000000000000aa'
/** Longer than the first attempt to connect again waits. */
const RECONNECT_MS = 1_000

/** A scene that notes every gap that is told; `hear` takes numbers of a publisher, `outage` loses the connection for a while. */
async function open(options: StreamOptions = {}) {
  const scene = await openScene({ limit: false, ...options })
  const gaps: StreamEvents['gap'][] = []
  scene.stream.on('gap', (gap) => gaps.push(gap))
  const startMs = performance.now()
  const hear = (numbers: number | readonly number[], origin = OTHER_ORIGIN) => {
    for (const number of [numbers].flat()) scene.receive(wire(number, performance.now() - startMs, origin))
  }
  const outage = async (ms = RECONNECT_MS) => {
    scene.transport.answers.open = new Error('away')
    scene.transport.host.down()
    await pass(ms)
    scene.transport.answers.open = 'resolve'
    await pass(60_000) // longer than any attempt waits
  }
  return { scene, gaps, hear, outage, missed: () => gaps.map(({ missed }) => missed) }
}

describe('an interrupted join', () => {
  test('is told once it is joined again, and counts what a publisher sent meanwhile', async () => {
    const { scene, hear, outage, missed } = await open()
    hear([1, 2])
    await outage()
    expect(missed()).toEqual([0])
    hear([7, 9])
    await tick()
    expect(missed()).toEqual([0, 4])
    expect(scene.ledger).toMatchObject({ missedAway: 4, missed: 1, delivered: 4 })
    expect(scene.hub.ledger()).toMatchObject({ missedAway: 4 })
  })

  test('is reported also when nothing was missed, as by an unknown publisher', async () => {
    const { scene, hear, outage, missed } = await open()
    await outage()
    hear([7, 8])
    await tick()
    expect(missed()).toEqual([0])
    expect(scene.ledger).toMatchObject({ missedAway: 0, missed: 0 })
  })

  test('is not told while it lasts, nor when the broker refuses to end it', async () => {
    const { scene, hear, missed } = await open()
    hear(1)
    scene.transport.answers.join = new Error('denied')
    scene.transport.host.left(scene.topic, new Error('kicked'))
    await pass(10_000)
    expect(missed()).toEqual([])
    scene.transport.answers.join = 'resolve'
    await pass(60_000)
    hear(4)
    await tick()
    expect(missed()).toEqual([0, 2])
  })

  test('is reported for all publishers of one tick together, for later ones later', async () => {
    const { hear, outage, missed } = await open()
    const origins = Array.from({ length: 1_000 }, (_, nth) => nth.toString(16).padStart(16, '0'))
    for (const origin of origins) hear(1, origin)
    await outage()
    for (const origin of origins.slice(1)) hear(3, origin)
    await tick()
    hear(11, origins[0])
    await tick()
    expect(missed()).toEqual([0, 999, 9])
  })

  test('lowers its count with each number that comes late', async () => {
    const { scene, hear, outage } = await open()
    hear([1, 2])
    await outage()
    hear([6, 4, 3, 3])
    expect(scene.ledger).toMatchObject({ missedAway: 1, missed: 0, reordered: 2 })
    hear([9, 8, 5, 2])
    expect(scene.ledger).toMatchObject({ missedAway: 0, missed: 1, reordered: 4 })
  })

  test('counts across several of them for a publisher that was silent in between', async () => {
    const { scene, gaps, hear, outage } = await open()
    hear(1)
    hear(1, OTHER)
    const firstMs = Date.now()
    await outage()
    hear(3, OTHER)
    await outage()
    hear(5)
    await tick()
    expect(scene.ledger.missedAway).toBe(4)
    expect(gaps.at(-1)).toMatchObject({ missed: 3 })
    expect(gaps.at(-1)?.sinceMs).toBeLessThanOrEqual(firstMs)
    expect(gaps.at(-2)?.sinceMs).toBeGreaterThan(firstMs)
  })

  test('is compared with what was known before it, however long it lasts', async () => {
    const { scene, hear, outage } = await open()
    hear([1, 2, 3])
    await outage(3_600_000)
    hear(10)
    expect(scene.ledger.missedAway).toBe(6)
  })

  test('lets publishers be forgotten again for their silence once it is over', async () => {
    const { scene, hear, outage } = await open()
    hear([1, 2, 3])
    await outage(3_600_000)
    await pass(300_000)
    hear(10)
    expect(scene.ledger.missedAway).toBe(0)
  })

  test('counts no jump beyond what is believed at once, but is told', async () => {
    const { scene, hear, outage, missed } = await open()
    hear(1)
    await outage()
    hear([1e9, 2, 2e9])
    await tick()
    expect(scene.ledger).toMatchObject({ missedAway: 0, dropped: { malformed: 2 } })
    hear([1e9, 1e9 + 1, 1e9 + 2, 1e9 + 3])
    await tick()
    expect(scene.ledger).toMatchObject({ missedAway: 0, missed: 0 })
    expect(missed()).toEqual([0])
  })

  test('is compared for the last 64 of them, and told for each', async () => {
    const { scene, gaps, hear } = await open()
    hear(1)
    hear(1, OTHER)
    for (let nth = 0; nth < 64; nth++) {
      scene.transport.host.left(scene.topic, new Error('kicked'))
      await pass(1_000)
    }
    hear(3)
    scene.transport.host.left(scene.topic, new Error('kicked'))
    await pass(1_000)
    hear(3, OTHER)
    expect(scene.ledger.missedAway).toBe(1)
    expect(gaps.filter(({ missed }) => missed === 0)).toHaveLength(65)
  })
})

describe('a gap', () => {
  test('began when the connection was last known to deliver', async () => {
    const { scene, gaps, outage } = await open()
    const joinedMs = Date.now()
    await outage()
    expect(gaps.at(-1)?.sinceMs).toBe(joinedMs)
    await pass(3_600_000)
    const endMs = Date.now()
    scene.transport.answers.flush = 'hang' // the link is frozen
    await pass(120_000)
    scene.transport.answers.flush = 'resolve'
    await pass(60_000)
    const { sinceMs } = gaps[1] as StreamEvents['gap']
    expect([sinceMs <= endMs, sinceMs > endMs - 31_000]).toEqual([true, true])
  })

  test('began before the machine slept, though its clock stood still', async () => {
    const { gaps, outage } = await open()
    await pass(100_000)
    const sleepMs = Date.now()
    vi.setSystemTime(sleepMs + 3_600_000)
    await outage()
    expect(gaps.map(({ sinceMs }) => sinceMs <= sleepMs)).toEqual([true])
  })

  test('began by the clock that the program gives, if it gives one', async () => {
    const transport = new ScriptedTransport()
    const hub = createHub({ transport, nowMs: () => performance.now() - start + 5_000 })
    const start = performance.now()
    hub.on('error', () => {})
    const stream = hub.stream('scene')
    await stream.subscribe(() => {}).ready
    const gaps: unknown[] = []
    stream.on('gap', (gap) => gaps.push(gap))
    transport.host.down()
    await pass(RECONNECT_MS)
    expect(gaps).toEqual([{ missed: 0, sinceMs: 5_000 }])
  })
})

describe('a topic that the program left', () => {
  test('has no gap, and none either when the connection was lost meanwhile', async () => {
    const { scene, hear } = await open()
    hear(1)
    scene.stream.close()
    scene.transport.host.down()
    await pass(RECONNECT_MS)
    const next = scene.hub.stream('scene', { limit: false })
    const told: unknown[] = []
    next.on('gap', (gap) => told.push(gap))
    await next.subscribe(() => {}).ready
    hear(9)
    await tick()
    expect(told).toEqual([])
    expect(next.ledger()).toMatchObject({ missedAway: 0, delivered: 1 })
  })

  test('keeps the count of the next stream when a missed number of the last comes late', async () => {
    const { scene, hear, outage } = await open()
    hear([1, 2])
    await outage()
    hear(5)
    expect(scene.ledger.missedAway).toBe(2)
    scene.stream.close()
    const next = scene.hub.stream('scene', { limit: false })
    await next.subscribe(() => {}).ready
    hear(4)
    expect(next.ledger()).toMatchObject({ delivered: 1, reordered: 1, missedAway: 0, missed: 0 })
  })

  test('in the tick of a lost connection has no gap when it is joined again', async () => {
    const transport = new ScriptedTransport()
    const hub = createHub({ transport })
    hub.on('error', () => {})
    const stream = hub.stream('scene')
    const told: unknown[] = []
    stream.on('gap', (gap) => told.push(gap))
    const subscription = stream.subscribe(() => {})
    await subscription.ready
    subscription.unsubscribe()
    transport.host.down()
    await pass(RECONNECT_MS)
    await stream.subscribe(() => {}).ready
    await tick()
    expect(told).toEqual([])
  })
})
