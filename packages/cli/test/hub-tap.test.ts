import { createHub, type Ledger } from 'rivulet'
import { expect, onTestFinished, test } from 'vitest'
import { summaryOf } from '../src/commands/tap.ts'
import { exitCodeOfTap, intakeOf } from '../src/connection/hub-tap.ts'
import { exitCodeOf, sentenceOf } from '../src/sub/summary.ts'

/** A tap that follows the stream `wanted`, with 2 stale messages, and dropped 7 frames of other streams. */
function overfullTap() {
  const hub = createHub()
  onTestFinished(async () => void (await hub.close()))
  const ledger = hub.ledger()
  const withDrops = (dropped: Partial<Ledger['dropped']>): Ledger => ({
    ...ledger,
    dropped: { ...ledger.dropped, ...dropped },
  })
  const followed = [
    { name: 'wanted', bytes: 10, publishers: 1, ledger: withDrops({ stale: 2 }) },
    { name: 'other', bytes: 10, publishers: 1, ledger: withDrops({ stale: 3 }) },
  ]
  return {
    ledger: () => withDrops({ stale: 5, malformed: 4, notJoined: 7 }),
    streams: () => followed[Symbol.iterator](),
  }
}

test('frames of streams that a tap does not follow count, whatever streams are wanted', () => {
  const tap = overfullTap()
  const all = intakeOf(tap, undefined)
  expect(all.dropped).toMatchObject({ stale: 5, malformed: 4, notJoined: 7 })
  const wanted = intakeOf(tap, (name) => name === 'wanted')
  expect(wanted.dropped).toMatchObject({ stale: 2, malformed: 0, notJoined: 7 })
  expect(exitCodeOfTap(wanted)).toBe(1)
  expect(summaryOf(tap, wanted, 'wanted')).toContain('9 dropped (7 of streams that were too many to follow)')
  expect(sentenceOf(0, wanted)).toContain('7 dropped (notJoined)')
})

test('a tap that follows all streams ends with 0; a subscriber ignores other streams', () => {
  const hub = createHub()
  onTestFinished(async () => void (await hub.close()))
  const { missed, reordered, dropped } = hub.ledger()
  expect(exitCodeOfTap({ missed, reordered, dropped })).toBe(0)
  expect(exitCodeOf({ missed, reordered, dropped: { ...dropped, notJoined: 7 } }, true)).toBe(0)
})
