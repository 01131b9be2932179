import type { StreamOptions } from 'rivulet'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { OTHER_ORIGIN, openScene, tick, wire } from '../support/remote-scene.ts'
import type { Call } from '../support/scripted-transport.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)

/** A scene that tells of each number what became of its message, sent just now unless said otherwise. */
async function open(options: StreamOptions = {}) {
  const scene = await openScene({ limit: false, ...options })
  const startMs = performance.now()
  const hear = (
    sequence: number,
    t: number | undefined = performance.now() - startMs,
    data?: object,
  ): string => {
    const before = scene.ledger
    scene.receive(wire(sequence, t, OTHER_ORIGIN, data))
    const { dropped, delivered } = scene.ledger
    if (delivered > before.delivered) return 'delivered'
    const reasons = Object.keys(dropped) as (keyof typeof dropped)[]
    return reasons.find((reason) => dropped[reason] > before.dropped[reason]) ?? 'uncounted'
  }
  const rejoin = async () => {
    scene.transport.host.down()
    await pass(1_000)
  }
  /** From now on a barrier is overdue, until the one that it returns is answered. */
  const missBarrier = async () => {
    scene.transport.answers.flush = 'hang'
    scene.stream.publish({})
    await pass(2_050)
    return scene.transport.flushes.at(-1) as Call
  }
  return {
    scene,
    hear,
    rejoin,
    missBarrier,
    counts: () => ({ missed: scene.ledger.missed, reordered: scene.ledger.reordered }),
  }
}

describe('duplicates', () => {
  test('are dropped, and a number is delivered once, whoever repeats it and how often', async () => {
    const { hear } = await open()
    expect([1, 1, 2, 1, 2, 3, 3, 3].map((number) => hear(number))).toEqual([
      'delivered',
      'duplicate',
      'delivered',
      'duplicate',
      'duplicate',
      'delivered',
      'duplicate',
      'duplicate',
    ])
  })

  test('cannot be told from what is 1 024 numbers old, which is dropped too', async () => {
    const { hear } = await open()
    hear(5_000)
    expect(hear(5_000 - 1_023)).toBe('delivered')
    expect(hear(5_000 - 1_024)).toBe('duplicate')
  })

  // RELIABILITY 24
  test('are not what is out of order within the window: that is delivered, and counted', async () => {
    const { hear, counts } = await open()
    expect([10, 12, 11, 13, 9].map((number) => hear(number))).toEqual(Array(5).fill('delivered'))
    expect(counts()).toEqual({ missed: 0, reordered: 2 })
  })

  test('are told after the topic was joined again, too', async () => {
    const { hear, rejoin } = await open()
    for (const number of [1, 2]) hear(number)
    await rejoin()
    expect([3, 2, 1].map((number) => hear(number))).toEqual(['delivered', 'duplicate', 'duplicate'])
  })

  test('are what was stale, refused by the schema, or over the limit before', async () => {
    const schema = z.object({ n: z.number() })
    const { hear } = await open({ schema, limit: { ratePerSecond: 1, burst: 1 } })
    expect(hear(1, 0, { n: 'x' })).toBe('schema')
    expect(hear(2, 0)).toBe('delivered')
    expect(hear(3, 0)).toBe('delivered')
    await pass(10_000)
    expect(hear(4, 0)).toBe('stale')
    await pass(10_000)
    expect([hear(1), hear(4)]).toEqual(['duplicate', 'duplicate'])
  })

  test('are what found no room within a frame before', async () => {
    const { scene, hear } = await open({ limit: { ratePerSecond: 1, burst: 1 } })
    scene.receive([wire(1, 0), wire(2, 0), wire(3, 0)])
    expect(scene.ledger).toMatchObject({ delivered: 2, dropped: { rateLimited: 1 } })
    await pass(2_000)
    expect(hear(3)).toBe('duplicate')
  })
})

describe('missed', () => {
  test('counts the gaps between numbers, less those filled later', async () => {
    const { hear, counts } = await open()
    for (const number of [10, 15, 13, 11]) hear(number)
    expect(counts().missed).toBe(2)
  })

  test('does not count what came before the first number of a join, nor what fills it', async () => {
    const { hear, counts } = await open()
    hear(100)
    hear(99)
    expect(counts()).toEqual({ missed: 0, reordered: 1 })
  })

  test('does not count messages between two joins, whether the next one is late or not', async () => {
    const { hear, rejoin, counts } = await open()
    hear(1)
    await rejoin()
    hear(50)
    hear(52)
    expect(counts().missed).toBe(1)
    await rejoin()
    hear(51)
    hear(90)
    expect(counts().missed).toBe(1)
    hear(70)
    expect(counts().missed).toBe(1)
    hear(92)
    expect(counts().missed).toBe(2)
  })

  test('counts no gap twice when a message is repeated', async () => {
    const { hear, counts } = await open()
    for (const number of [1, 5, 5, 3, 3]) hear(number)
    expect(counts().missed).toBe(2)
  })

  test('includes messages of frames dropped undecoded, and no stale ones', async () => {
    const { scene, hear, counts } = await open({ limit: { ratePerSecond: 1, burst: 1 } })
    scene.receive([wire(1, 0), wire(2, 0)])
    scene.receive([wire(3, 0), wire(4, 0), wire(5, 0)])
    expect(scene.ledger).toMatchObject({ received: 3, dropped: { rateLimited: 1 }, missed: 0 })
    await pass(10_000)
    expect(hear(6, 0)).toBe('stale')
    expect(counts().missed).toBe(3)
    hear(7)
    expect(counts().missed).toBe(3)
  })
})

describe('a jump', () => {
  test('of 65 536 is believed, one further is malformed and moves nothing', async () => {
    const { hear, counts } = await open()
    hear(1)
    expect(hear(1 + 65_537)).toBe('malformed')
    expect(counts().missed).toBe(0)
    expect(hear(2)).toBe('delivered')
    expect(hear(2 + 65_536)).toBe('delivered')
    expect(counts().missed).toBe(65_535)
  })

  test('is believed after three consistent ones: the publisher is real', async () => {
    const { hear, counts } = await open()
    hear(1)
    expect([1e9, 1e9 + 1, 1e9 + 2, 1e9 + 3, 1e9 + 3].map((number) => hear(number))).toEqual([
      'malformed',
      'malformed',
      'delivered',
      'delivered',
      'duplicate',
    ])
    expect(counts().missed).toBe(0)
    const threeApart = (by: number) => [2e9, 2e9 + by, 2e9 + 2 * by].map((number) => hear(number))
    expect(threeApart(65_537)).toEqual(Array(3).fill('malformed'))
    expect(threeApart(65_536)).toEqual(['malformed', 'malformed', 'delivered'])
  })

  // RELIABILITY 73
  test('is not believed when its numbers skip or repeat, or real ones come between', async () => {
    const { hear } = await open()
    hear(1)
    for (const number of [1e9, 2e9, 3e9, 2.5e9, 2.5e9, 2.5e9, 2 ** 53 - 1])
      expect(hear(number)).toBe('malformed')
    expect([1e9, 1e9 + 1].map((number) => hear(number))).toEqual(['malformed', 'malformed'])
    expect(hear(2)).toBe('delivered')
    expect([1e9 + 2, 1e9 + 3].map((number) => hear(number))).toEqual(['malformed', 'malformed'])
    expect(hear(3)).toBe('delivered')
  })

  test('to far numbers that are stale resets the window and delivers nothing', async () => {
    const { hear } = await open()
    hear(1)
    await pass(8_000)
    expect([1e9, 1e9 + 1, 1e9 + 2].map((number) => hear(number, 0))).toEqual([
      'malformed',
      'malformed',
      'stale',
    ])
    expect(hear(1e9 + 3)).toBe('delivered')
  })
})

describe('a forged number', () => {
  // RELIABILITY 73
  test('mutes the real publisher for at most a minute after the last forged frame', async () => {
    const { hear, counts } = await open()
    for (let forged = 0; forged < 5; forged++) {
      hear(2 ** 53 - 5 + forged)
      await pass(10_000)
    }
    for (let second = 10; second < 60; second++) {
      expect(hear(second)).toBe('duplicate')
      await pass(1_000)
    }
    await pass(1_600)
    expect([hear(61), hear(62), hear(62)]).toEqual(['delivered', 'delivered', 'duplicate'])
    expect(counts().missed).toBe(0)
  })

  test('with the next numbers mutes the real publisher for at most a minute', async () => {
    const { hear, counts } = await open()
    hear(1)
    for (let forged = 2; forged < 1_000; forged++) hear(forged)
    for (let number = 2; number < 8; number++) {
      await pass(10_000)
      expect(hear(number)).toBe('duplicate')
    }
    await pass(1_600)
    expect([hear(8), hear(9), hear(9), hear(8)]).toEqual(['delivered', 'delivered', 'duplicate', 'duplicate'])
    expect(counts().missed).toBe(0)
  })

  test('that was stale mutes no publisher', async () => {
    const { hear, missBarrier } = await open()
    const barrier = await missBarrier()
    expect(hear(2 ** 53 - 1)).toBe('stale')
    barrier.resolve()
    await tick()
    expect([hear(1), hear(2)]).toEqual(['delivered', 'delivered'])
  })

  test('that is repeated does not prolong the minute', async () => {
    const { hear } = await open()
    hear(2 ** 53 - 1, 0)
    for (let second = 1; second <= 60; second++) {
      await pass(1_000)
      hear(2 ** 53 - 1, 0)
    }
    await pass(1_600)
    expect(hear(61)).toBe('delivered')
  })

  test('does not make captured frames acceptable after the minute: they are stale', async () => {
    const { hear } = await open()
    for (let number = 1; number < 2_000; number++) hear(number, 0)
    await pass(70_000)
    expect(hear(1, 0)).toBe('duplicate')
  })
})

describe('after a quiet minute', () => {
  test('a recording that is played again is dropped, also when its delays are steady', async () => {
    const { hear } = await open()
    const recording = Array.from({ length: 20 }, (_, index) => [index + 1, 1_000 * index] as const)
    for (const [number, tMs] of recording) {
      hear(number, tMs)
      await pass(1_000)
    }
    await pass(61_000)
    for (const [number, tMs] of recording) {
      expect(hear(number, tMs)).toBe('duplicate')
      await pass(1_000)
    }
    expect(hear(21)).toBe('delivered')
  })

  test('a message is not delivered again between repeats of older ones', async () => {
    const { hear } = await open()
    hear(1, 0)
    await pass(100_000)
    expect([hear(2_000, 100_000), hear(1, 0)]).toEqual(['delivered', 'duplicate'])
    await pass(60_500)
    expect([hear(1, 0), hear(2_000, 100_000)]).toEqual(['duplicate', 'duplicate'])
    expect(hear(2_001)).toBe('delivered')
  })

  test('repeats that are not stale yet are dropped, the oldest ones too', async () => {
    const { hear } = await open({ maxAgeMs: 600_000 })
    for (let number = 1; number <= 1_100; number++) hear(number)
    await pass(61_000)
    expect([hear(1, 0), hear(1_100, 0)]).toEqual(['duplicate', 'duplicate'])
    await pass(600_001)
    expect([hear(1, 0), hear(1_100, 0), hear(1_101)]).toEqual(['duplicate', 'duplicate', 'delivered'])
  })

  test('a repeat is dropped when it has no t, and when no message before it had one', async () => {
    const [timed, untimed] = [await open(), await open()]
    timed.hear(1)
    untimed.scene.receive(wire(1))
    await pass(61_000)
    timed.scene.receive(wire(1))
    expect(timed.scene.ledger).toMatchObject({ delivered: 1, dropped: { duplicate: 1 } })
    expect(untimed.hear(1)).toBe('duplicate')
  })
})

describe('age', () => {
  test('is judged by the stream’s own limit, and by none when that is false', async () => {
    const [strict, usual, lax] = [
      await open({ maxAgeMs: 100 }),
      await open(),
      await open({ maxAgeMs: false }),
    ]
    for (const { hear } of [strict, usual, lax]) hear(1, 0)
    await pass(5_000)
    expect([strict, usual, lax].map(({ hear }) => hear(2, 0))).toEqual(['stale', 'delivered', 'delivered'])
    await pass(6) // the thousandth by which clocks may run apart
    expect([strict, usual, lax].map(({ hear }) => hear(3, 0))).toEqual(['stale', 'stale', 'delivered'])
    await pass(3_600_000)
    expect(lax.hear(4, 0)).toBe('delivered')
  })

  test('is checked for no publisher without a limit, nor while a barrier is overdue', async () => {
    for (const [maxAgeMs, outcome] of [[5_000, 'stale'] as const, [false, 'delivered'] as const]) {
      const { hear, missBarrier } = await open({ maxAgeMs })
      await missBarrier()
      expect(hear(1)).toBe(outcome)
    }
  })

  // RELIABILITY 5
  test('is told without synchronized clocks: the offset does not matter', async () => {
    const { hear } = await open()
    hear(1, 3_600_000_000)
    await pass(10_000)
    expect([hear(2, 3_600_000_000), hear(3, 3_600_010_000)]).toEqual(['stale', 'delivered'])
  })

  test('is not judged of a first message, nor of one without t', async () => {
    const { scene, hear } = await open()
    await pass(1_000_000)
    expect(hear(1, 0)).toBe('delivered')
    await pass(1_000_000)
    scene.receive(wire(2))
    expect(scene.data.at(-1)).toEqual({ n: 2 })
  })

  test('is judged from the first message with t on, whatever came before without', async () => {
    const { scene, hear } = await open()
    scene.receive(wire(1))
    expect(hear(2, 0)).toBe('delivered')
    await pass(5_006)
    expect([hear(3, 0), hear(4)]).toEqual(['stale', 'delivered'])
  })
})

test('an old repeat is never delivered without an age limit, after a quiet minute too', async () => {
  const scene = await openScene({ maxAgeMs: false, limit: false })
  for (let number = 1; number <= 1_100; number++) scene.receive(wire(number, number))
  await vi.advanceTimersByTimeAsync(61_000)
  for (let number = 1; number <= 50; number++) scene.receive(wire(number, number))
  expect(scene.ledger).toMatchObject({ delivered: 1_100, dropped: { duplicate: 50 } })
})
