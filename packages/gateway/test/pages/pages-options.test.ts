import { describe, expect, test } from 'vitest'
import { invalidOptionsOf } from '../../../../test/support/adapters/invalid-options.ts'
import { servePages } from '../../src/relay.ts'

describe('the options of servePages', () => {
  const authenticate = async () => ({ refused: 'no', isFinal: true })
  test.each([
    ['none', {}, /needs \{ authenticate \}/],
    ['an unknown one', { authenticate, rate: 1 }, /no option "rate" .*; there are ratePerSecond, burst, /],
    ['more to wait than sockets count', { authenticate, maxWaitingBytes: 2 ** 31 }, /"maxWaitingBytes"/],
    ['a log of nothing', { authenticate, log: null }, /A log is an object/],
    ['a rate of nothing', { authenticate, ratePerSecond: 0 }, /"ratePerSecond" of servePages/],
    ['a burst that is a text', { authenticate, burst: '30' }, /"burst"/],
    ['no publisher at all', { authenticate, publishers: 0 }, /"publishers" of servePages is a number from 1/],
    ['more joins than there may be', { authenticate, maxJoinsPerPage: 1e9 }, /"maxJoinsPerPage"/],
    ['no pending connection at all', { authenticate, maxPending: 0 }, /"maxPending"/],
    ['a log that is none', { authenticate, log: 'info' }, /A log is an object/],
  ])('refuse %s', (_, options, why) => {
    expect(invalidOptionsOf(() => servePages(options as never)).message).toMatch(why)
  })
})
