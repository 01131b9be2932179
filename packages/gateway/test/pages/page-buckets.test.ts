import { describe, expect, test } from 'vitest'
import { PageBuckets } from '../../src/pages/page-buckets.ts'
import { limitsOf } from '../../src/pages/pages-options.ts'

const MOST_KEPT = 10_000

/** Buckets of pages that may send ten messages a second, and as many at once as these and a second's more. */
function bucketsOfPages() {
  const buckets = new PageBuckets(limitsOf({ authenticate() {}, maxMessagesPerSecond: 10 }))
  /** Keeps buckets of an identity that has sent so many messages. */
  const keep = (identity: string, sent: number) => {
    const { messages, ...others } = buckets.take(`new of ${identity}`, 0)
    for (let n = 0; n < sent; n++) messages.fill(0)
    buckets.keep(identity, { messages, ...others })
  }
  /** Takes buckets of an identity, and tells how many messages it could send. */
  const room = (identity: string, nowMs = 0) => buckets.take(identity, nowMs).messages.available(nowMs)
  return { buckets, keep, room }
}

describe('the buckets of pages', () => {
  test('are given back with the least room first, and each once', () => {
    const { keep, room } = bucketsOfPages()
    for (const sent of [5, 15, 10]) keep('ann', sent)
    expect([1, 2, 3, 4].map(() => room('ann'))).toEqual([5, 10, 15, 20])
  })

  test('are kept for so many pages, and those of the oldest identity go first', () => {
    const { keep, room } = bucketsOfPages()
    for (let n = 0; n < MOST_KEPT; n++) keep(n < 2 ? 'oldest' : `identity ${n}`, 5)
    expect(room('identity 2')).toBe(15)
    keep('identity 2', 5)
    keep('last', 5)
    keep('behind the last', 5)
    expect(['oldest', 'oldest', 'last', 'identity 2', 'identity 3'].map((one) => room(one))).toEqual([
      20, 20, 15, 15, 15,
    ])
  })

  test('of a page that comes and goes take the place of one', () => {
    const { keep, room } = bucketsOfPages()
    keep('oldest', 5)
    for (let n = 0; n < 2 * MOST_KEPT; n++) {
      keep('ann', 5)
      room('ann')
    }
    expect(room('oldest')).toBe(15)
  })

  test('are forgotten once they are as roomy as new ones, and the others are not', () => {
    const { buckets, keep, room } = bucketsOfPages()
    keep('oldest', 20)
    for (let n = 0; n < 2; n++) keep('ann', n === 0 ? 5 : 20)
    for (let n = 0; n < MOST_KEPT - 3; n++) keep(`identity ${n}`, 5)
    buckets.forgetIdle(1_000)
    // Those that were forgotten have left their place: the oldest one stays.
    for (let n = 0; n < MOST_KEPT - 2; n++) keep(`later ${n}`, 5)
    expect([room('oldest', 1_000), room('ann', 1_000), room('ann', 1_000)]).toEqual([10, 10, 20])
  })

  test.each(['messages', 'removals', 'requests'] as const)(
    'are not forgotten while their %s have less room',
    (name) => {
      const { buckets } = bucketsOfPages()
      const used = buckets.take('ann', 0)
      used[name].fill(0)
      buckets.keep('ann', used)
      buckets.forgetIdle(0)
      expect(buckets.take('ann', 0)).toBe(used)
    },
  )
})
