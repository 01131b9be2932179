import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { OTHER_ORIGIN, openScene, wire } from '../support/remote-scene.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)

/** A scene, and a publisher whose clock can step; `hear` tells whether a message of it sent just now is delivered. */
async function open() {
  const scene = await openScene({ limit: false })
  let clockMs = 1_000_000 - performance.now()
  let sequence = 0
  const hear = (lateMs = 0): boolean => {
    const { delivered } = scene.ledger
    scene.receive(wire(++sequence, performance.now() + clockMs - lateMs))
    return scene.ledger.delivered > delivered
  }
  const step = (ms: number) => {
    clockMs += ms
  }
  return { scene, hear, step, forge: (t: number) => scene.receive(wire(++sequence, t, OTHER_ORIGIN)) }
}

describe('a publisher whose clock stepped back', () => {
  test('is accepted again after equal delays for maxAgeMs and an answered barrier', async () => {
    const { hear, step } = await open()
    expect(hear()).toBe(true)
    await pass(1_000)
    step(-20_000)
    for (let second = 0; second < 5; second++) {
      expect(hear()).toBe(false)
      await pass(1_000)
    }
    expect([hear(), hear()]).toEqual([true, true])
    await pass(10_000)
    expect([hear(), hear(5_100)]).toEqual([true, false])
  })

  test('is heard again at its third message, when these are far apart', async () => {
    const { hear, step } = await open()
    hear()
    step(-20_000)
    await pass(1_000)
    expect(hear()).toBe(false)
    await pass(10_000)
    expect(hear()).toBe(false)
    await pass(10_000)
    expect(hear()).toBe(true)
  })

  test('is accepted soon without a barrier due: the first stale message starts one', async () => {
    const { scene, hear, step } = await open()
    hear()
    await pass(2_001)
    const { length } = scene.transport.flushes
    hear()
    await pass(21)
    expect(scene.transport.flushes).toHaveLength(length) // a fresh one does not
    step(-20_000)
    hear()
    await pass(21)
    expect(scene.transport.flushes.length).toBeGreaterThan(length)
  })

  test('is not accepted before a barrier that began after it: it may be a backlog', async () => {
    const { scene, hear, step } = await open()
    hear()
    await pass(1_000)
    scene.transport.flush = () => new Promise(() => {})
    step(-20_000)
    // The hub may be up again between two looks at its status.
    let isUp = true
    scene.hub.on('status', () => {
      isUp = false
    })
    let looks = 0
    for (; isUp; looks++) {
      expect(hear()).toBe(false)
      await pass(200)
    }
    expect(looks).toBeGreaterThan(250) // frames that come in keep the connection for a minute
  })

  test.each([
    ['is heard again when barriers take a second, and', 3_000, 1_000, true],
    ['is not heard when they take longer: the link has a backlog; it', 3_000, 1_001, false],
    ['is not heard either when they took longer from the beginning; it', 0, 1_001, false],
  ])('%s was up for %i ms before', async (_, promptMs, barrierMs, isHeard) => {
    const startMs = performance.now()
    vi.spyOn(ScriptedTransport.prototype, 'flush').mockImplementation(async () => {
      if (performance.now() - startMs < promptMs) return
      await new Promise((resolve) => setTimeout(resolve, barrierMs))
    })
    onTestFinished(() => void vi.restoreAllMocks())
    const { scene, hear, step } = await open()
    hear()
    await pass(6_000)
    step(-20_000)
    let heard = 0
    for (let second = 0; second < 100; second++) {
      if (hear()) heard++
      await pass(1_000)
    }
    expect([heard > 0, scene.hub.status]).toEqual([isHeard, 'up'])
  })
})

test('a backlog that shrinks is never heard, whatever barriers say', async () => {
  const { hear } = await open()
  hear()
  for (let second = 0; second < 40; second++) {
    await pass(1_000)
    expect(hear(50_000 - second * 1_000)).toBe(false)
  }
})

describe('a forged time far ahead', () => {
  test('mutes the publisher for seconds when its delays are steady', async () => {
    const { hear, forge } = await open()
    hear()
    forge(1e12)
    let mutedMs = 0
    for (; !hear(); mutedMs += 100) await pass(100)
    expect(mutedMs).toBeLessThanOrEqual(6_000)
  })

  test('mutes the publisher for at most a minute after the last forged frame', async () => {
    const { hear, forge } = await open()
    hear()
    for (let forged = 0; forged < 100; forged++) {
      forge(1e12 + performance.now())
      expect(hear((forged % 2) * 600)).toBe(false)
      await pass(1_000)
    }
    let mutedMs = 1_000
    for (; !hear(mutedMs % 2_000 ? 600 : 0); mutedMs += 1_000) await pass(1_000)
    expect(mutedMs).toBeLessThanOrEqual(61_000)
  })
})
