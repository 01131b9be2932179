import { describe, expect, test } from 'vitest'
import { TakeOvers } from '../src/take-overs.ts'

const TAKEN = [5, 142, 60_000] as const
const SHUT_DOWN = [5, 139, 10] as const
const SHORT_4 = [4, undefined, 10] as const
const LONGEST_4 = [4, undefined, 1_999] as const
const LONG_ENOUGH_4 = [4, undefined, 2_000] as const
const LONG_4 = [4, undefined, 60_000] as const

const LEFT =
  'Another client took the MQTT client id "mine" over, twice within 10 s; give each client an id of its own, or none.'

describe('a given client id', () => {
  test.each([
    { name: 'is kept after one take-over', endings: [[0, TAKEN]], askMs: 1, stands: true },
    {
      name: 'is left after two within 10 s',
      endings: [
        [0, TAKEN],
        [9_999, TAKEN],
      ],
      askMs: 10_000,
      stands: false,
    },
    {
      name: 'is left after two lives just under 2 s under 4',
      endings: [
        [0, LONGEST_4],
        [10_000, LONGEST_4],
      ],
      askMs: 10_001,
      stands: false,
    },
    {
      name: 'is kept after two lives of 2 s under 4',
      endings: [
        [0, LONG_ENOUGH_4],
        [3_000, LONG_ENOUGH_4],
      ],
      askMs: 3_001,
      stands: true,
    },
    {
      name: 'is tried again after one more take-over, since it stood back for the first two',
      endings: [
        [0, TAKEN],
        [1, TAKEN],
        [2, TAKEN],
      ],
      askMs: 30_001,
      stands: true,
    },
    {
      name: 'is left for 30 s',
      endings: [
        [0, TAKEN],
        [5_000, TAKEN],
      ],
      askMs: 34_999,
      stands: false,
    },
    {
      name: 'is tried again after 30 s',
      endings: [
        [0, TAKEN],
        [5_000, TAKEN],
      ],
      askMs: 35_000,
      stands: true,
    },
    {
      name: 'is kept after two in more than 10 s',
      endings: [
        [0, TAKEN],
        [10_001, TAKEN],
      ],
      askMs: 10_002,
      stands: true,
    },
    {
      name: 'is kept when the broker shuts down',
      endings: [
        [0, SHUT_DOWN],
        [1, SHUT_DOWN],
      ],
      askMs: 2,
      stands: true,
    },
    {
      name: 'is left after two short lives under 4',
      endings: [
        [0, SHORT_4],
        [500, SHORT_4],
      ],
      askMs: 501,
      stands: false,
    },
    {
      name: 'is kept after long lives under 4',
      endings: [
        [0, LONG_4],
        [500, LONG_4],
      ],
      askMs: 501,
      stands: true,
    },
  ] as const)('$name', ({ endings, askMs, stands }) => {
    const takeOvers = new TakeOvers('mine')
    for (const [atMs, [protocol, code, lifeMs]] of endings) takeOvers.note(protocol, code, lifeMs, atMs)
    const check = () => takeOvers.check(askMs)
    if (stands) expect(check).not.toThrow()
    else expect(check).toThrow(expect.objectContaining({ code: 'TRANSPORT_FAILED', message: LEFT }))
  })
})

test('a random client id is never given up', () => {
  const takeOvers = new TakeOvers(undefined)
  for (let nowMs = 0; nowMs < 10; nowMs++) takeOvers.note(...TAKEN, nowMs)
  expect(() => takeOvers.check(10)).not.toThrow()
})
