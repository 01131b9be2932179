import { describe, expect, test } from 'vitest'
import { Merge } from '../src/merge.ts'

type Side = 'old' | 'new'

describe('a merge of two links', () => {
  test.each<[string, readonly (readonly [Side, string])[], readonly string[]]>([
    [
      'hands over a frame of either link once',
      [
        ['old', 'a'],
        ['new', 'a'],
        ['new', 'b'],
        ['old', 'b'],
      ],
      ['a', 'b'],
    ],
    [
      'hands over what one link alone receives',
      [
        ['old', 'a'],
        ['new', 'b'],
      ],
      ['a', 'b'],
    ],
    [
      'hands over equal frames as often as each link has them',
      [
        ['old', 'a'],
        ['old', 'a'],
        ['new', 'a'],
        ['new', 'a'],
      ],
      ['a', 'a'],
    ],
    [
      'hands over equal frames that come in turns',
      [
        ['new', 'a'],
        ['old', 'a'],
        ['old', 'a'],
        ['new', 'a'],
      ],
      ['a', 'a'],
    ],
    [
      'hands over what the old link had before the new one was joined',
      [
        ['old', 'a'],
        ['old', 'a'],
        ['new', 'a'],
      ],
      ['a', 'a'],
    ],
  ])('%s', (_what, arrivals, expected) => {
    const merge = new Merge('old')
    const taken = arrivals.filter(([side, text]) => merge.isFirst(side, 'join', 't', Buffer.from(text)))
    expect(taken.map(([, text]) => text)).toEqual(expected)
  })

  test('hands over no frame that the hub sent, as text or as bytes, on its topic', () => {
    const merge = new Merge('old')
    merge.sent('t', 'text')
    merge.sent('t', Buffer.from('bytes'))
    for (const way of ['join', 'watch'] as const) {
      expect(merge.isFirst('old', way, 't', Buffer.from('text'))).toBe(false)
      expect(merge.isFirst('new', way, 't', Buffer.from('bytes'))).toBe(false)
      expect(merge.isFirst('new', way, 'other', Buffer.from('text'))).toBe(true)
    }
  })

  test('distinguishes topics, and watched from joined frames', () => {
    const merge = new Merge('old')
    const frame = Buffer.from('a')
    expect(merge.isFirst('old', 'join', 't', frame)).toBe(true)
    expect(merge.isFirst('new', 'join', 'u', frame)).toBe(true)
    expect(merge.isFirst('new', 'watch', 't', frame)).toBe(true)
    expect(merge.isFirst('new', 'join', 't', frame)).toBe(false)
  })
})
