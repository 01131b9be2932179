import { describe, expect, test } from 'vitest'
import { canonicalJson } from '../../src/message/canonical-json.ts'
import {
  decodeFrame,
  encodeMessage,
  encodeRemoval,
  isRemoval,
  joinMessages,
  lastSid,
} from '../../src/message/frame.ts'
import { Message } from '../../src/message/message.ts'
import { sidOf } from '../../src/message/sid.ts'

const ORIGIN = '0123456789abcdef'
const SID = sidOf(ORIGIN, 26)
const FROM = { origin: ORIGIN, sequence: 26 }
const bytes = (text: string) => new TextEncoder().encode(text)
const decode = (text: string) => decodeFrame(bytes(text))
const message = (data: object, sequence = 26) => new Message(data, true, ORIGIN, sequence, undefined)
const nested = (levels: number) => `${'{"a":'.repeat(levels - 1)}{}${'}'.repeat(levels - 1)}`

describe('a frame that is written', () => {
  test('is the canonical data, the sid, and the milliseconds since the origin began', () => {
    const data = { b: [1, { d: 2, c: 'é' }], a: null }
    expect(encodeMessage(message(data), data, 1234)).toBe(
      `{"data":{"a":null,"b":[1,{"c":"é","d":2}]},"sid":"TZ0123456789abcdef000000000000001a","t":1234}`,
    )
  })

  test('has sorted keys and no white space, whatever order the data had', () => {
    expect(canonicalJson({ z: 1, a: { y: [], x: {} } })).toBe(canonicalJson({ a: { x: {}, y: [] }, z: 1 }))
    expect(canonicalJson({ z: 1, a: { y: [], x: {} } })).toBe('{"a":{"x":{},"y":[]},"z":1}')
  })

  test('is the message itself for one, an array for several', () => {
    expect(joinMessages(['{"x":1}'])).toBe('{"x":1}')
    expect(joinMessages(['{"x":1}', '{"x":2}'])).toBe('[{"x":1},{"x":2}]')
  })

  test('that ends a stream has the removal, a sid and the time, and reads back', () => {
    expect(encodeRemoval(SID, 1234)).toBe(`{"removed":true,"sid":"${SID}","t":1234}`)
    expect(decode(encodeRemoval(SID, 1234))).toEqual({ removedBy: FROM, tMs: 1234 })
  })

  test('reads back as it was', () => {
    const texts = [1, 2, 3].map((n) => encodeMessage(message({ n }, n), { n }, n * 10))
    expect(decode(joinMessages(texts))).toEqual(
      [1, 2, 3].map((n) => ({ data: { n }, sid: { origin: ORIGIN, sequence: n }, tMs: n * 10 })),
    )
  })
})

describe('a frame that is read', () => {
  test('is of whom its sid says, whoever spoke last', () => {
    const text = `{"data":{},"sid":"${SID}","t":1}`
    for (const last of [undefined, ORIGIN, `${ORIGIN.slice(0, -1)}0`]) {
      expect(decodeFrame(bytes(text), last)).toEqual([{ data: {}, sid: FROM, tMs: 1 }])
    }
  })

  test.each([
    ['nothing', ''],
    ['what is no JSON', '{"data":{}'],
    ['a number', '1'],
    ['null', 'null'],
    ['an empty array', '[]'],
    ['a removal without a sid', '{"removed":true}'],
    ['a removal whose sid has the wrong form', '{"removed":true,"sid":"TZ12"}'],
    ['a removal whose t is negative', `{"removed":true,"sid":"${SID}","t":-1}`],
    ['no data', `{"sid":"${SID}","t":1}`],
    ['an array as data', `{"data":[],"sid":"${SID}"}`],
    ['null as data', `{"data":null,"sid":"${SID}"}`],
    ['a string as data', `{"data":"x","sid":"${SID}"}`],
    ['data that is inherited only', `{"__proto__":{"data":{}},"sid":"${SID}"}`],
    ['a sid in capitals', `{"data":{},"sid":"${SID.toUpperCase()}"}`],
    ['a sid of another kind', `{"data":{},"sid":"MS${SID.slice(2)}"}`],
    ['a sid that is too long', `{"data":{},"sid":"${SID}0"}`],
    ['a sid that is null', '{"data":{},"sid":null}'],
    ['the number 0', `{"data":{},"sid":"${sidOf(ORIGIN, 0)}"}`],
    ['a number of 2⁵³', `{"data":{},"sid":"TZ${ORIGIN}0020000000000000"}`],
    ['a negative t', `{"data":{},"sid":"${SID}","t":-1}`],
    ['an infinite t', `{"data":{},"sid":"${SID}","t":1e400}`],
    ['a t that is a string', `{"data":{},"sid":"${SID}","t":"1"}`],
    ['a t that is null', `{"data":{},"sid":"${SID}","t":null}`],
    ['a bad t without a sid', '{"data":{},"t":-1}'],
    ['a BOM in front', `\ufeff{"data":{}}`],
  ])('is malformed with %s', (_, text) => {
    expect(decode(text)).toBeUndefined()
  })

  // Found by fuzzing.
  test('is malformed when a trace is no JSON, whoever spoke last', () => {
    const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad\bb7169203331-01'
    const text = `{"data":{},"tp":"${trace}","sid":"${SID}","t":1}`
    expect(decode(text)).toBeUndefined()
    expect(decodeFrame(bytes(`[${text},${text}]`), ORIGIN)).toBeUndefined()
  })

  test('is malformed when another character replaces the quote behind a trace', () => {
    const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    expect(decode(`{"data":{},"tp":"${trace}z,"sid":"${SID}","t":1}`)).toBeUndefined()
  })

  test('has the last of two data, also behind what looks like a trace', () => {
    const hidden = '","data":{"b":2},"x":"'
    const text = `{"data":{"a":1},"tp":"${hidden.padEnd(55, '.')}","sid":"${SID}","t":1}`
    expect(decode(text)).toEqual([{ data: { b: 2 }, sid: FROM, tMs: 1 }])
  })

  test('is malformed when its bytes are not UTF-8', () => {
    for (const rest of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0x80]]) {
      expect(
        decodeFrame(Uint8Array.from([...bytes('{"data":{"a":"'), ...rest, ...bytes('"}}')])),
      ).toBeUndefined()
    }
  })

  test('takes the number 2⁵³−1', () => {
    const sid = { origin: ORIGIN, sequence: 2 ** 53 - 1 }
    expect(decode(`{"data":{},"sid":"TZ${ORIGIN}001fffffffffffff"}`)).toEqual([
      { data: {}, sid, tMs: undefined },
    ])
  })

  test('may lack the sid and t, when a foreign client wrote it by hand', () => {
    const foreign = { sid: undefined, tMs: undefined }
    expect(decode('{"data":{"a":1}}')).toEqual([{ data: { a: 1 }, ...foreign }])
    expect(decode(' [ {"data":{}} ] ')).toEqual([{ data: {}, ...foreign }])
  })

  test('takes no t on trust that comes without a sid', () => {
    expect(decode('{"data":{},"t":5}')).toEqual([{ data: {}, sid: undefined, tMs: undefined }])
  })

  test('may have members that are not known', () => {
    expect(decode(`{"w":9,"data":{},"removed":false,"__proto__":{"sid":1},"sid":"${SID}","t":0}`)).toEqual([
      { data: {}, sid: FROM, tMs: 0 },
    ])
  })

  test('is of the version that is implied when it names that', () => {
    expect(decode(`{"v":1,"data":{},"sid":"${SID}","t":0}`)).toEqual([{ data: {}, sid: FROM, tMs: 0 }])
    expect(decode(`{"v":1,"removed":true,"sid":"${SID}","t":0}`)).toEqual({ removedBy: FROM, tMs: 0 })
  })

  test.each([
    ['a message', `{"data":{},"v":2,"sid":"${SID}","t":1}`],
    ['a message without data', `{"v":3,"sid":"${SID}"}`],
    ['a removal', `{"removed":true,"v":2,"sid":"${SID}","t":1}`],
    ['another object', '{"v":2,"sid":7,"messages":[{},{}]}'],
    ['the largest version', `{"v":${Number.MAX_SAFE_INTEGER}}`],
  ])('is newer when its version is: %s', (_, text) => {
    expect(decode(text)).toEqual(['newer'])
    expect(decode(`[{"data":{}},${text},7]`)).toMatchObject([{ data: {} }, 'newer', undefined])
  })

  test.each(['0', '-1', '1.5', '2.5', '1e400', '9007199254740993', 'null', '"2"', 'true', '[2]', '{}'])(
    'is malformed when its version is %s',
    (version) => {
      expect(decode(`{"v":${version},"data":{},"sid":"${SID}","t":1}`)).toBeUndefined()
      expect(decode(`{"v":${version},"removed":true,"sid":"${SID}","t":1}`)).toBeUndefined()
    },
  )

  test('has no version that is inherited only', () => {
    expect(decode('{"__proto__":{"v":2},"data":{}}')).toMatchObject([{ data: {} }])
  })

  test('has the malformed message of an array in its place, and takes the others', () => {
    const decoded = decode(`[{"data":{"n":1}},7,null,{"data":[]},{"data":{"n":2}}]`)
    expect(decoded).toMatchObject([{ data: { n: 1 } }, ...Array(3).fill(undefined), { data: { n: 2 } }])
  })

  test.each([
    [1, true],
    [63, true],
    [64, true],
    [65, false],
    [100_000, false],
  ])('with an array of %i is taken: %s', (count, isTaken) => {
    for (const message of ['{"data":{}}', '{"data":{},"sid":"TZ0123456789abcdef0000000000000001","t":1}']) {
      const decoded = decode(`[${Array(count).fill(message).join(',')}]`)
      expect(decoded !== undefined).toBe(isTaken)
    }
  })

  test('may nest as deep as data of 100 levels in a message in an array, and no deeper', () => {
    expect(decode(`[{"data":${nested(100)}}]`)).toBeDefined()
    expect(decode(`[{"data":${nested(100)}},{"data":{}}]`)).toBeDefined()
    expect(decode(`[{"data":${nested(101)}}]`)).toBeUndefined()
    expect(decode(`{"data":${nested(102)}}`)).toBeUndefined()
  })

  test('is malformed with 100 000 levels, and costs no stack', () => {
    expect(decode('['.repeat(100_000))).toBeUndefined()
    expect(decode(`{"data":{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`)).toBeUndefined()
    expect(decode(`{"data":${nested(100_000)}}`)).toBeUndefined()
  })

  test('counts no brackets in strings, escaped quotes or not', () => {
    const text = JSON.stringify({ data: { a: '[{'.repeat(200), b: `"${'['.repeat(200)}\\` } })
    expect(decode(text)).toMatchObject([{ data: JSON.parse(text).data }])
  })

  test('may have many brackets side by side', () => {
    expect(decode(`{"data":{"a":[${Array(300).fill('[{}]').join(',')}]}}`)).toBeDefined()
  })
})

describe('the sid of the last message', () => {
  const canonical = (data: object, t = 5) => encodeMessage(message(data), data, t)

  test.each([
    ['a message', canonical({ a: 1 })],
    ['a large t', canonical({ a: 1 }, 123_456_789_012)],
    ['an array', joinMessages([canonical({}), canonical({ b: '}' })])],
    ['a removal', encodeRemoval(SID, 7)],
  ])('is read from the last bytes of %s', (_, text) => {
    expect(lastSid(bytes(text))).toEqual(FROM)
    expect(lastSid(bytes(text), ORIGIN)?.origin).toBe(ORIGIN)
    expect(lastSid(bytes(text), `${ORIGIN.slice(0, -1)}0`)).toEqual(FROM)
  })

  test.each([
    ['nothing', ''],
    ['one byte', '}'],
    ['two bytes', '}]'],
    ['digits only', '1}'],
    ['white space', ` {"data":{},"sid":"${SID}","t":5} `],
    ['another order', `{"sid":"${SID}","t":5,"data":{}}`],
    ['no t', `{"data":{},"sid":"${SID}"}`],
    ['a t with a fraction', `{"data":{},"sid":"${SID}","t":1.5}`],
    ['a sid that is cut off', `"${SID.slice(20)}","t":5}`],
    ['another first member', `{"v":9,"data":{},"sid":"${SID}","t":5}`],
    ['another first member in an array', `[{"v":9,"data":{},"sid":"${SID}","t":5}]`],
    ['a frame that is cut off', `{"data":{},"sid":"${SID}","t":51`],
    ['an array that is cut off', `[{"data":{},"sid":"${SID}","t":5},`],
    ['a sid of another kind', `{"data":{},"sid":"MS${SID.slice(2)}","t":5}`],
    ['a sid by another name', `{"data":{},"tid":"${SID}","t":5}`],
    ['another last member', `{"data":{},"sid":"${SID}","t":5,"x":{}}`],
    ['a sid with the number 0', `{"data":{},"sid":"${sidOf(ORIGIN, 0)}","t":5}`],
    ['a string that is no sid', `{"data":{},"sid":"TZ${'g'.repeat(32)}","t":5}`],
  ])('is not read from %s, and nothing else is taken for one', (_, text) => {
    expect(lastSid(bytes(text))).toBeUndefined()
    expect(lastSid(bytes(text), ORIGIN)).toBeUndefined()
  })
})

test.each([
  [encodeRemoval(SID, 7), true],
  ['{"removed":true}', true],
  ['{"removed":false}', false],
  ['{"removed":tru', false],
  [' {"removed":true}', false],
  ['', false],
])('the first bytes of %s tell whether it is a removal: %s', (text, expected) => {
  expect(isRemoval(bytes(text))).toBe(expected)
})
