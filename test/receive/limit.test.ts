import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { NONE_DROPPED as NONE } from '../support/dropped.ts'
import { expectLawful, openScene, type Scene, wire } from '../support/remote-scene.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

/** What a receiver takes at once that publishes nothing itself: 30 a second, 30 at once, and a second of tolerance. */
const CAPACITY = 30 + 30

/** Hands over messages of one publisher, from 1 to `count`, and tells how many were delivered. */
function flood(scene: Scene, count: number): number {
  const { delivered } = scene.ledger
  for (let number = 1; number <= count; number++) scene.receive(wire(number, 0))
  return scene.ledger.delivered - delivered
}

/** Six publishers that send 10 messages a second each for 10 seconds, all within their own limits. */
async function sixPublish(scene: Scene): Promise<void> {
  for (let number = 1; number <= 100; number++) {
    for (const digit of 'abcdef') scene.receive(wire(number, 100 * number, digit.repeat(16)))
    await vi.advanceTimersByTimeAsync(100)
  }
}

describe('several publishers on one stream', () => {
  test('share one limit by default, and an error says so and what to do', async () => {
    const scene = await openScene()
    await sixPublish(scene)
    expect(scene.ledger.delivered).toBeLessThan(400)
    expect(scene.errors).toHaveLength(1)
    expect(String(scene.errors[0])).toContain(
      "6 publishers share it: give each process limit.publishers 6 or more, a higher limit, or scope 'process'.",
    )
  })

  test('are all admitted within the limit for publishers, apart from the own bucket', async () => {
    const scene = await openScene({ limit: { publishers: 6 } })
    await sixPublish(scene)
    expect(scene.ledger).toMatchObject({ delivered: 600, dropped: NONE })
    expect([scene.errors, scene.stream.budget().available]).toEqual([[], 30])
  })
})

describe('the limit on what is let in', () => {
  // RELIABILITY 72
  test('keeps remote messages within burst + rate × (T + 1 s), whatever peers send', async () => {
    const scene = await openScene({ maxAgeMs: false })
    const heardAt: number[] = []
    scene.stream.subscribe(() => heardAt.push(performance.now()))
    for (let number = 1; number <= 10_000; number++) {
      scene.receive(wire(number, 0, number % 2 ? 'b'.repeat(16) : 'a'.repeat(16)))
      if (number % 5 === 0) await vi.advanceTimersByTimeAsync(1)
    }
    expect(heardAt.length).toBeGreaterThanOrEqual(CAPACITY + 30 * 1.9)
    for (const [nth, atMs] of heardAt.entries()) {
      const [count, seconds] = [heardAt.length - nth, (performance.now() - atMs) / 1_000]
      expect(count).toBeLessThanOrEqual(30 + 1.001 * 30 * (seconds + 1) + 1e-3)
    }
    expectLawful(scene.ledger)
  })

  test('admits a legal burst, and one more of a second later that overtook nothing', async () => {
    const scene = await openScene()
    expect(flood(scene, 30)).toBe(30)
    const next = Array.from({ length: 30 }, (_, nth) => wire(nth + 31, 1_000))
    scene.receive(next)
    expect(scene.ledger).toMatchObject({ delivered: 60, dropped: NONE })
  })

  test('drops what comes faster undecoded, as one received and one rateLimited a frame', async () => {
    const scene = await openScene()
    expect(flood(scene, CAPACITY)).toBe(CAPACITY)
    const decode = vi.spyOn(TextDecoder.prototype, 'decode')
    for (let number = 61; number < 20_061; number++) scene.receive([wire(number, 0), wire(number + 1, 0)])
    expect(decode).not.toHaveBeenCalled()
    decode.mockRestore()
    expect(scene.ledger).toMatchObject({
      received: 20_060,
      delivered: 60,
      dropped: { ...NONE, rateLimited: 20_000 },
    })
  })

  test('takes room for each message of a frame, and counts those that find none', async () => {
    const scene = await openScene()
    scene.receive(Array.from({ length: 64 }, (_, nth) => wire(nth + 1)))
    expect(scene.ledger).toMatchObject({ received: 64, delivered: 60, dropped: { ...NONE, rateLimited: 4 } })
  })

  test.each([
    [1, 1],
    [2, 1],
    [4, 1],
    [8, 2],
    [30, 7],
  ])(
    'fills what may be published of burst %i, but for %i: others cannot shut us out',
    async (burst, left) => {
      const scene = await openScene({ limit: { ratePerSecond: 1, burst } })
      expect(flood(scene, 100)).toBe(burst + 1)
      expect(scene.stream.budget().available).toBe(left)
      for (let count = 0; count < left; count++) scene.stream.publish({})
      expect(scene.stream.tryPublish({})).toMatchObject({ ok: false, code: 'RATE_LIMITED' })
    },
  )

  test('is filled by what this process publishes too, against the others', async () => {
    const scene = await openScene()
    for (let count = 0; count < 30; count++) scene.stream.publish({})
    expect(flood(scene, 100)).toBe(CAPACITY - 30)
  })

  test('of scope process does not bind what others send', async () => {
    const scene = await openScene({ limit: { ratePerSecond: 1, burst: 1, scope: 'process' } })
    expect(flood(scene, 100)).toBe(100)
    for (let number = 1; number <= 100; number++) scene.receive('junk')
    expect(scene.ledger).toMatchObject({ delivered: 100, dropped: { ...NONE, malformed: 100 } })
    expect(scene.stream.budget().available).toBe(1)
  })

  test('set to false binds nothing', async () => {
    const scene = await openScene({ limit: false })
    expect(flood(scene, 1_000)).toBe(1_000)
    for (let number = 1; number <= 1_000; number++) scene.receive('junk')
    expect(scene.ledger).toMatchObject({ delivered: 1_000, dropped: { ...NONE, malformed: 1_000 } })
  })
})
