import { describe, expect, test } from 'vitest'
import { type Arrival, Peer, type Verdict } from '../src/peer.ts'

/** Feeds a peer; a message of number n is sent at n milliseconds unless said otherwise. */
function newPeer() {
  const peer = new Peer('0123456789abcdef')
  const totals = { missed: 0, reordered: 0 }
  const hear = (sequence: number, also: Partial<Arrival> = {}): Verdict => {
    const arrivalMs = also.arrivalMs ?? 1_000
    const arrival = {
      sequence,
      tMs: arrivalMs,
      arrivalMs,
      maxAgeMs: 5_000,
      join: 1,
      mayBeOld: false,
      ...also,
    }
    const verdict = peer.judge(arrival)
    totals.missed += peer.gapChange
    totals.reordered += Number(peer.isReordered)
    return verdict
  }
  return { peer, hear, totals }
}

const mute = { maxAgeMs: Number.POSITIVE_INFINITY, tMs: undefined }

describe('duplicates', () => {
  test('are dropped, and a number is delivered once', () => {
    const { hear } = newPeer()
    expect([1, 1, 2, 1, 2, 3].map((number) => hear(number))).toEqual([
      ...['deliver', 'duplicate', 'deliver', 'duplicate', 'duplicate', 'deliver'],
    ])
  })

  test('cannot be told from what is too old, which is dropped too', () => {
    const { hear } = newPeer()
    hear(5_000)
    expect(hear(5_000 - 1_023)).toBe('deliver')
    expect(hear(5_000 - 1_024)).toBe('duplicate')
  })

  // RELIABILITY 24
  test('are not what is out of order within the window: that is delivered, and counted', () => {
    const { hear, totals } = newPeer()
    expect([10, 12, 11, 13, 9].map((number) => hear(number))).toEqual(Array(5).fill('deliver'))
    expect(totals.reordered).toBe(2)
  })
})

describe('missed', () => {
  test('counts the gaps between numbers, less those filled later', () => {
    const { hear, totals } = newPeer()
    for (const number of [10, 15, 13, 11]) hear(number)
    expect(totals.missed).toBe(2)
  })

  test('does not count what came before the first number of a join, nor what fills it', () => {
    const { hear, totals } = newPeer()
    hear(100)
    hear(99)
    expect(totals).toEqual({ missed: 0, reordered: 1 })
  })

  test('does not count what was sent between two joins', () => {
    const { hear, totals } = newPeer()
    hear(1)
    hear(50, { join: 2 })
    hear(52, { join: 2 })
    expect(totals.missed).toBe(1)
  })

  test('does not count it either when the first of the new join is a late one', () => {
    const { hear, totals } = newPeer()
    hear(10)
    expect(hear(9, { join: 2 })).toBe('deliver')
    hear(50, { join: 2 })
    expect(totals.missed).toBe(0)
    hear(30, { join: 2 })
    expect(totals.missed).toBe(0)
    hear(52, { join: 2 })
    expect(totals.missed).toBe(1)
  })

  test('counts no gap twice when a message is repeated', () => {
    const { hear, totals } = newPeer()
    for (const number of [1, 5, 5, 3, 3]) hear(number)
    expect(totals.missed).toBe(2)
  })
})

describe('a jump', () => {
  test('of 65 536 is believed, one further is malformed and moves nothing', () => {
    const { hear, totals } = newPeer()
    hear(1)
    expect(hear(1 + 65_537)).toBe('malformed')
    expect(totals.missed).toBe(0)
    expect(hear(2)).toBe('deliver')
    expect(hear(2 + 65_536)).toBe('deliver')
    expect(totals.missed).toBe(65_535)
  })

  test('is believed after three consistent ones: the origin is real', () => {
    const { hear, totals } = newPeer()
    hear(1)
    expect([1e9, 1e9 + 1, 1e9 + 2, 1e9 + 3, 1e9 + 3].map((number) => hear(number))).toEqual([
      ...['malformed', 'malformed', 'deliver', 'deliver', 'duplicate'],
    ])
    expect(totals.missed).toBe(0)
  })

  // RELIABILITY 73
  test('is not believed when the numbers do not follow each other, repeat, or real ones come between', () => {
    const { hear } = newPeer()
    hear(1)
    for (const number of [1e9, 2e9, 3e9, 2.5e9, 2.5e9, 2.5e9, 2 ** 53 - 1])
      expect(hear(number)).toBe('malformed')
    expect([1e9, 1e9 + 1].map((number) => hear(number))).toEqual(['malformed', 'malformed'])
    expect(hear(2)).toBe('deliver')
    expect([1e9 + 2, 1e9 + 3].map((number) => hear(number))).toEqual(['malformed', 'malformed'])
    expect(hear(3)).toBe('deliver')
  })

  test('to far numbers that are stale resets the window and delivers nothing', () => {
    const { hear } = newPeer()
    hear(1)
    const late = { tMs: 1_000, arrivalMs: 9_000 }
    expect([1e9, 1e9 + 1, 1e9 + 2].map((number) => hear(number, late))).toEqual([
      ...['malformed', 'malformed', 'stale'],
    ])
    expect(hear(1e9 + 3, { arrivalMs: 9_000 })).toBe('deliver')
  })

  test('to far numbers whose t is forged moves nothing', () => {
    const { hear } = newPeer()
    hear(1)
    const forged = { tMs: 1e9 }
    for (const step of [0, 1, 2]) expect(hear(1e9 + step, forged)).toBe('malformed')
    expect(hear(2)).toBe('deliver')
  })
})

describe('a forged number', () => {
  // RELIABILITY 73
  test('mutes the real origin for at most a minute', () => {
    const { hear, totals } = newPeer()
    const startMs = 1_000_000
    hear(2 ** 53 - 1, { arrivalMs: startMs })
    for (let second = 1; second <= 60; second++)
      expect(hear(second, { arrivalMs: startMs + second * 1_000 })).toBe('duplicate')
    expect(hear(61, { arrivalMs: startMs + 60_001 })).toBe('deliver')
    expect(hear(62, { arrivalMs: startMs + 60_002 })).toBe('deliver')
    expect(hear(62, { arrivalMs: startMs + 60_003 })).toBe('duplicate')
    expect(totals.missed).toBe(0)
  })

  test('that is repeated does not prolong the minute', () => {
    const { hear } = newPeer()
    hear(2 ** 53 - 1, { arrivalMs: 0 })
    for (let second = 1; second <= 60; second++) hear(2 ** 53 - 1, { arrivalMs: second * 1_000 })
    expect(hear(61, { arrivalMs: 60_001 })).toBe('deliver')
  })

  test('does not make old captured frames acceptable after the minute: they are stale', () => {
    const { hear } = newPeer()
    hear(1, { arrivalMs: 0 })
    for (let number = 2; number < 2_000; number++) hear(number, { arrivalMs: number })
    expect(hear(1, { arrivalMs: 70_000, tMs: 0 })).toBe('duplicate')
  })
})

describe('a number is marked as seen', () => {
  test('when its message is stale', () => {
    const { hear, totals } = newPeer()
    hear(1)
    expect(hear(3, { arrivalMs: 9_000, tMs: 1_000 })).toBe('stale')
    expect(hear(3, { arrivalMs: 9_000 })).toBe('duplicate')
    expect(totals.missed).toBe(1)
  })

  test('not when its delay is malformed', () => {
    const { hear } = newPeer()
    hear(1)
    expect(hear(2, { tMs: 1e9 })).toBe('malformed')
    expect(hear(2)).toBe('deliver')
  })
})

describe('age', () => {
  test('is not judged without a baseline: the first message is delivered however late it is', () => {
    const { hear } = newPeer()
    expect(hear(1, { tMs: 0, arrivalMs: 1e9 })).toBe('deliver')
  })

  test('of a first message is judged by the barrier: while it is overdue the message is dropped', () => {
    const { hear } = newPeer()
    expect(hear(1, { tMs: 0, arrivalMs: 9_000, mayBeOld: true })).toBe('stale')
    expect(hear(2, { tMs: 9_000, arrivalMs: 9_000, mayBeOld: true })).toBe('stale')
    expect(hear(3, { tMs: 9_000, arrivalMs: 9_000 })).toBe('deliver')
    expect(hear(4, { tMs: 9_000, arrivalMs: 14_001 })).toBe('stale')
  })

  test('is judged by the baseline, not by the barrier, once there is one', () => {
    const { hear } = newPeer()
    hear(1)
    expect(hear(2, { mayBeOld: true })).toBe('deliver')
  })

  test('of a message without t cannot be judged, but by the barrier', () => {
    const { hear } = newPeer()
    expect(hear(1, { tMs: undefined, arrivalMs: 0 })).toBe('deliver')
    expect(hear(2, { tMs: undefined, arrivalMs: 1e9 })).toBe('deliver')
    expect(hear(3, { tMs: undefined, mayBeOld: true })).toBe('stale')
  })

  test('has no limit when told so', () => {
    const { hear } = newPeer()
    hear(1)
    expect(hear(2, { tMs: 0, arrivalMs: 1e9, maxAgeMs: Number.POSITIVE_INFINITY })).toBe('deliver')
    expect(hear(3, { ...mute, arrivalMs: 1e9 })).toBe('deliver')
  })
})

test('an origin vouches, once proven, for numbers that it may deliver, until it is doubted', () => {
  const { peer, hear } = newPeer()
  const vouched = () => [2, 3, 4, 3 + 65_536, 4 + 65_536].map((number) => peer.vouchesFor(number))
  expect(vouched()).toEqual(Array(5).fill(false))
  for (const number of [1, 3]) hear(number)
  expect(vouched()).toEqual(Array(5).fill(false))
  hear(0)
  expect(vouched()).toEqual([true, false, true, true, false])
  peer.isDoubted = true
  expect(vouched()).toEqual(Array(5).fill(false))
  hear(4)
  expect(peer.vouchesFor(5)).toBe(true)
})

test('an origin is proven by its third message, repeats and forgeries not counted', () => {
  const { peer, hear } = newPeer()
  for (const number of [1, 1, 1, 1e9, 2]) hear(number)
  expect(peer.isProven).toBe(false)
  hear(3)
  expect(peer.isProven).toBe(true)
})
