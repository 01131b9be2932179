import { inspect } from 'node:util'
import { createHub, type Stream } from 'rivulet'
import { describe, expect, test } from 'vitest'
import { parseSid, sidOf } from '../../src/message/sid.ts'

function open(): Stream {
  return createHub().stream('s')
}

describe('a message', () => {
  test('is frozen, with sid, data and isLocal; its JSON is sid and data', () => {
    const message = open().publish({ n: 1 })
    expect(Object.isFrozen(message)).toBe(true)
    expect(message.sid).toMatch(/^TZ[0-9a-f]{32}$/)
    expect(JSON.stringify(message)).toBe(`{"sid":"${message.sid}","data":{"n":1}}`)
    expect(Object.keys(message)).toEqual(['data', 'isLocal'])
    expect(inspect(message)).toBe(inspect({ sid: message.sid, data: { n: 1 }, isLocal: true }))
  })

  test('has a sid that is made when it is read: the message holds none', () => {
    const message = open().publish({ n: 1 })
    const held = Reflect.ownKeys(message).map((key) => Reflect.get(message, key))
    expect(held).not.toContain(message.sid)
    expect(message.sid).toBe(message.sid)
  })

  test('has a sid of its own: origin of the stream, and its number', () => {
    const hub = createHub()
    const [a, b] = [hub.stream('a'), hub.stream('b')]
    const sids = [a.publish({}), a.publish({}), b.publish({})].map(({ sid }) => sid)
    expect(sids.map((sid) => Number.parseInt(sid.slice(18), 16))).toEqual([1, 2, 1])
    expect(sids[0]?.slice(0, 18)).toBe(sids[1]?.slice(0, 18))
    expect(sids[0]?.slice(0, 18)).not.toBe(sids[2]?.slice(0, 18))
  })
})

describe('a sid', () => {
  const origin = '0123456789abcdef'

  test('is TZ, 16 hex digits of the origin, 16 of the number, and is read back', () => {
    expect(sidOf(origin, 31)).toBe(`TZ${origin}000000000000001f`)
    expect(parseSid(sidOf(origin, Number.MAX_SAFE_INTEGER))).toEqual({
      origin,
      sequence: Number.MAX_SAFE_INTEGER,
    })
  })

  test.each([
    '',
    `TZ${origin}`,
    `tz${origin}0000000000000001`,
    `TZ${origin.toUpperCase()}0000000000000001`,
    `TZ${origin}0000000000000000`,
    `TZ${origin}0020000000000000`,
    `TZ${origin}ffffffffffffffff`,
    `TZ${origin}000000000000001/`,
    `TZ${origin}000000000000000g`,
    `TZ${origin.replace('a', ' ')}0000000000000001`,
    `TZundefined${origin.slice(9)}0000000000000001`,
  ])('is not %s', (sid) => {
    expect(parseSid(sid)).toBeUndefined()
  })
})
