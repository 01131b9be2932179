import fc from 'fast-check'
import { decodeFrame, MAX_INCOMING_BYTES } from 'rivulet/adapter'
import { describe, expect, test } from 'vitest'
import { canonicalJson } from '../../../../src/message/canonical-json.ts'
import { encodeRemoval, joinMessages } from '../../../../src/message/frame.ts'
import { sidOf } from '../../../../src/message/sid.ts'
import { checkFrame } from '../../src/pages/frame-check.ts'
import { TRACE } from '../support/frames.ts'

const MAX_BYTES = 65_536
const MAX_DEPTH = 100
const RUNS = { numRuns: 5_000 }
const PREFIX = 'aaaaaaaaaaaa'
const toBytes = (text: string) => new TextEncoder().encode(text)

/** Writes again what was read, as the library does; `undefined` for what it never writes. */
function writtenAgain(frame: Uint8Array): string | undefined {
  const decoded = decodeFrame(frame)
  if (decoded === undefined) return undefined
  if ('removedBy' in decoded) {
    const { removedBy, tMs } = decoded
    return !isAge(tMs) ? undefined : encodeRemoval(sidOf(removedBy.origin, removedBy.sequence), tMs)
  }
  const messages = decoded.map((entry) => {
    if (entry === 'newer' || entry?.sid === undefined || !isAge(entry.tMs) || depthOf(entry.data) > MAX_DEPTH)
      return ''
    const { origin, sequence } = entry.sid
    return `{"data":${canonicalJson(entry.data)},"sid":"${sidOf(origin, sequence)}","t":${entry.tMs}}`
  })
  return joinMessages(messages)
}

/** Whole milliseconds, of 30 000 years at the most. */
function isAge(tMs: number | undefined): tMs is number {
  return Number.isInteger(tMs) && (tMs as number) < 1e15
}

/** As W3C Trace Context has it, in version 00. */
function isTrace(text: string): boolean {
  const parts = text.split('-')
  const isHex = (part: string | undefined, length: number) =>
    part?.length === length && /^[0-9a-f]*$/.test(part)
  const isId = (part: string | undefined, length: number) => isHex(part, length) && /[^0]/.test(part ?? '')
  return (
    parts.length === 4 && parts[0] === '00' && isId(parts[1], 32) && isId(parts[2], 16) && isHex(parts[3], 2)
  )
}

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(depthOf))
}

/** The check and the library agree on a text, unless its messages are of two hubs. */
function expectAgreement(text: string): void {
  const bytes = toBytes(text)
  const checked = checkFrame(bytes, MAX_BYTES)
  if (checked === 'it has messages of two hubs') return
  const isAsWritten = writtenAgain(bytes) === new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
  expect(typeof checked === 'object', `${checked}: ${text}`).toBe(isAsWritten)
}

const character = fc.constantFrom(
  ...[
    'a',
    'b',
    'é',
    '\ud7ff',
    '\ue000',
    '\uffff',
    '😀',
    '𐀀',
    '"',
    '\\',
    ' ',
    '!',
    '#',
    '\n',
    '\u001f',
    '\u007f',
    '\ud800',
    '\udc00',
    '\ud8f0',
    '\u2028',
    '/',
  ],
)
const word = fc.array(character, { maxLength: 3 }).map((characters) => characters.join(''))
const value = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer().map((n) => n / 1000),
  word,
)
const data = fc.dictionary(word, value, { maxKeys: 5 })
const message = fc.record({
  data,
  sequence: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  tMs: fc.nat(),
})

const messageText = message.map(
  ({ data, sequence, tMs }) =>
    `{"data":${canonicalJson(JSON.parse(JSON.stringify(data)))},"sid":"${sidOf(`${PREFIX}0001`, sequence)}","t":${tMs}}`,
)
const frameText = fc.array(messageText, { minLength: 1, maxLength: 4 }).map(joinMessages)

/** JSON of any form, with keys in any order, and twice. */
const loose = fc.letrec<{ json: string; members: string; elements: string; key: string }>((tie) => ({
  key: word.chain((text) => fc.constantFrom(JSON.stringify(text), escaped(text))),
  json: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(
      '0',
      '-0',
      '1.0',
      '1e3',
      '1E21',
      '1e+21',
      '1e-7',
      '0.1',
      '0.10',
      '-0.5',
      '0.000001',
      '0.0000001',
      '1.',
      '.1',
      '00',
      '01',
      '-',
      '-01',
      '0e1',
      '100000.123456789',
      '123456789.1234567',
      '-12',
      '123456789012345',
      '1234567890123456',
      '9007199254740993',
      '5e-324',
      '1e999',
      'true',
      'false',
      'null',
      ' 1',
      '[]',
      '{}',
    ),
    tie('key'),
    tie('members'),
    tie('elements'),
  ),
  members: fc
    .array(fc.tuple(tie('key'), tie('json')), { maxLength: 3 })
    .map((members) => `{${members.map(([key, json]) => `${key}:${json}`).join(',')}}`),
  elements: fc.array(tie('json'), { maxLength: 3 }).map((elements) => `[${elements.join(',')}]`),
}))

function escaped(text: string): string {
  const units = Array.from({ length: text.length }, (_, at) => text.charCodeAt(at).toString(16))
  return `"${units.map((unit) => `\\u${unit.padStart(4, '0')}`).join('')}"`
}

function frameWith(json: string): string {
  return `{"data":{"n":${json}},"sid":"${sidOf(`${PREFIX}0001`, 1)}","t":1}`
}

describe('the check of a frame', () => {
  test('takes what the library writes', () => {
    fc.assert(
      fc.property(frameText, (text) => {
        expect(checkFrame(toBytes(text), MAX_BYTES)).toMatchObject({ prefix: PREFIX, isRemoval: false })
        expectAgreement(text)
      }),
      RUNS,
    )
  })

  test('takes a message with and without a trace alike, and no malformed trace', () => {
    const edits = fc.array(fc.tuple(fc.nat({ max: TRACE.length }), fc.constantFrom(...'0f-gA" ', '')), {
      maxLength: 2,
    })
    const zeros = fc.constantFrom(
      TRACE.replace(/-\w{32}/, `-${'0'.repeat(32)}`),
      TRACE.replace(/-\w{16}-/, `-${'0'.repeat(16)}-`),
    )
    fc.assert(
      fc.property(
        messageText,
        fc.oneof(fc.constant(TRACE), zeros),
        edits,
        fc.nat({ max: 80 }),
        (text, whole, edits, at) => {
          let trace = whole
          for (const [start, piece] of edits) trace = trace.slice(0, start) + piece + trace.slice(start + 1)
          const sidAt = text.lastIndexOf(',"sid":')
          const member = `,"tp":"${trace}"`
          const traced = text.slice(0, sidAt) + member + text.slice(sidAt)
          const checked = checkFrame(toBytes(traced), MAX_BYTES)
          if (isTrace(trace)) expect(checked).toEqual(checkFrame(toBytes(text), MAX_BYTES))
          else expect(checked).toBeTypeOf('string')
          // At any other place it is refused, unless that is inside of the data.
          const other = sidAt + 1 + (at % (text.length - sidAt))
          expect(
            checkFrame(toBytes(text.slice(0, other) + member + text.slice(other)), MAX_BYTES),
          ).toBeTypeOf('string')
        },
      ),
      RUNS,
    )
  })

  test('takes of other JSON only what the library would write', () => {
    fc.assert(
      fc.property(loose.members, (json) =>
        expectAgreement(`{"data":${json},"sid":"${sidOf(`${PREFIX}0001`, 1)}","t":1}`),
      ),
      RUNS,
    )
  })

  test('takes nothing of a frame that was changed but what the library would write', () => {
    const pieces = [
      ...['', ' ', 'A', 'g', '"', '\\', '0', '-', '.5', 'e9', ',', '}', '{', ']', '[', ':', '\u0000', 'é'],
      ...[
        ',"sid":"TZ',
        '{"data":',
        '","t":',
        '{"data":{}',
        '"sid":1,',
        ',"u":1',
        '"a":1,',
        '\\u0041',
        '\\ud800',
      ],
      ...[
        `{"a":${'['.repeat(98)}`,
        '[[],[]]',
        `${'['.repeat(99)}${']'.repeat(99)}`,
        `${'['.repeat(100)}${']'.repeat(100)}`,
      ],
    ]
    const edit = fc.record({ at: fc.nat(), removed: fc.nat({ max: 12 }), piece: fc.constantFrom(...pieces) })
    const texts = fc.oneof(frameText, fc.constant(encodeRemoval(sidOf(`${PREFIX}0001`, 7), 12)))
    fc.assert(
      fc.property(texts, fc.array(edit, { maxLength: 3 }), (whole, edits) => {
        let text = whole
        for (const { at, removed, piece } of edits) {
          const start = at % (text.length + 1)
          text = text.slice(0, start) + piece + text.slice(start + removed)
        }
        expectAgreement(text)
      }),
      RUNS,
    )
  })

  test.each([
    ...[
      '0',
      '7',
      '-7',
      '10',
      '123456789012345',
      '-123456789012345',
      '123456789012345680000',
      '1e+21',
      '1e-7',
      '0.1',
    ],
    ...[
      '-0.5',
      '0.01',
      '0.000001',
      '10.05',
      '123456.789012345',
      '0.30000000000000004',
      '-0.0000011041155868393941',
    ],
  ])('takes the number %s', (number) => {
    expect(checkFrame(toBytes(frameWith(number)), MAX_BYTES)).toBeTypeOf('object')
    expectAgreement(frameWith(number))
  })

  test.each([
    ...[
      '-0',
      '00',
      '-',
      '-00',
      '01',
      '-01',
      '.',
      '.5',
      '-.5',
      '1.',
      '-1.',
      '1.0',
      '10.50',
      '0.0',
      '-0.0',
      '0.10',
    ],
    ...['1e3', '1e21', '1E+21', '1e+021', '0.0000001', '0.1.2', '1-2', '--1', '+1', '1e', '1e999', 'NaN', ''],
    ...['9007199254740993', '0.1234567890123456789', '1000000000000000000000', '123456789012345678'],
  ])('refuses the number %s', (number) => {
    expect(checkFrame(toBytes(frameWith(number)), MAX_BYTES)).toBeTypeOf('string')
    expectAgreement(frameWith(number))
  })

  test.each([
    ...['"', '"a', '"a\\', '"\\"', '"\\q"', '"\\/"', "'a'", 'a', '(1)', '', 'tru', 'True', '"a" ', 'null0'],
    ...['"\u001f"', '"\u0020"', '"\u007f"', '"\n"', '"\\n"', '"\\u000a"', '"\\b"', '"\\u0008"', '"\\u0009"'],
    ...[
      '"\\u0007"',
      '"\\u000b"',
      '"\\u000B"',
      '"\\u000e"',
      '"\\u0010"',
      '"\\u001f"',
      '"\\u0020"',
      '"\\u001"',
    ],
    ...['"\\ud800"', '"\\uD800"', '"\\ud800x"', '"\\ud800\\u0001"', '"\\ud800\\udc00"', '"\\udc00\\ud800"'],
    ...['"\\udbff\\udfff"', '"\\udbff\\ue000"', '"\\udfff"', '"\\ue000"', '"\\ud7ff"', '"\\ud8"', '"\\udc0"'],
    ...[
      '"\\udc0"0"',
      '"\\udczz"',
      '"\\ud8zz"',
      '"\\x\\u0001"',
      '"\\xabc\\u0001"',
      '"\\u0001\\u001"',
      '"\u2028"',
    ],
    ...[
      '[]',
      '[1]',
      '[1,2]',
      '[1,]',
      '[,1]',
      '[1;2]',
      '["a":1]',
      '[1',
      '[',
      '[1}',
      '[[]]',
      '[{}]',
      '{}',
      '{',
      '{]',
    ],
    ...[
      '{"a":1}',
      '{"a"=1}',
      '{"a":1,}',
      '{,}',
      '{a:1}',
      '{a":1}',
      '{xa":1}',
      '{"a"}',
      '{"a":}',
      '{"a":1;"b":2}',
      '{"a":1 "b":2}',
    ],
    ...[
      '{"a":1]',
      '{"a":1',
      '{1:1}',
      '{"a":1,"b":2}',
      '{"b":1,"a":2}',
      '{"a":1,"a":2}',
      '{"a":1,"b":2,"a":3}',
    ],
  ])('takes the value %j when the library would write it', (json) => {
    expectAgreement(frameWith(json))
  })

  test('takes two keys in the order of their units, written in any way', () => {
    const keys = [
      ...['', 'a', 'b', 'ab', 'a\n', 'aa', '\0', '\u001f', ' ', '!', '"', '#', '\\', ']', '[', '~', '\u007f'],
      ...['é', 'éa', '\u07ff', '\u0800', '\ud7ff', '\ue000', '\uefff', '\uf000', '\uffff', '😀', '\u{10000}'],
      ...[
        '\u{10ffff}',
        '\ud800',
        '\ud800a',
        '\ud800\ue000',
        '\ud83d',
        '\udbff',
        '\udc00',
        '\udfff',
        '\udfffa',
      ],
    ]
    for (const first of keys) {
      for (const second of keys) {
        expectAgreement(frameWith(`{${JSON.stringify(first)}:1,${JSON.stringify(second)}:2}`))
      }
    }
  })

  test('takes a frame of the largest size, and none beyond it', () => {
    const sizes = [70_000, 70_000, 70_000, 70_000, 0]
    const listOf = (last: number) =>
      `[${sizes.map((size, nth) => frameWith(`"${'x'.repeat(nth === 4 ? last : size - 10_000)}"`)).join()}]`
    const rest = MAX_INCOMING_BYTES - listOf(0).length
    expect(checkFrame(toBytes(listOf(rest)), 90_000)).toMatchObject({ messages: 5 })
    expect(checkFrame(toBytes(listOf(rest + 1)), 90_000)).toBe('it has more than 327680 bytes')
  })

  test('takes no bytes that are no UTF-8, wherever they are', () => {
    const bytes = toBytes(frameWith('"x"'))
    bytes[bytes.indexOf(0x78)] = 0xff
    expect(checkFrame(bytes, MAX_BYTES)).toBeTypeOf('string')
  })

  test('takes no message that begins otherwise', () => {
    const end = frameWith('1').slice(frameWith('1').indexOf(',"sid"'))
    for (const data of ['["n":1}', 'x"n":1}', '"n":1}']) expectAgreement(`{"data":${data}${end}`)
    for (const start of ['{', 'x', '', '{"data":', '{"data":1', '{"data":"a"', '[{"data":{}'])
      expectAgreement(start + end)
  })

  test.each([99, 100, 101])('takes %i levels of lists as the library does', (levels) => {
    const json = `${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}`
    expect(typeof checkFrame(toBytes(frameWith(json)), MAX_BYTES) === 'object').toBe(levels <= MAX_DEPTH)
    expectAgreement(frameWith(json))
  })

  test.each([99, 100, 101])('takes %i levels of data as the library does', (levels) => {
    const deep = `${'{"a":'.repeat(levels - 1)}{}${'}'.repeat(levels - 1)}`
    const text = `{"data":${deep},"sid":"${sidOf(`${PREFIX}0001`, 1)}","t":1}`
    expect(typeof checkFrame(toBytes(text), MAX_BYTES) === 'object').toBe(levels <= MAX_DEPTH)
    expectAgreement(text)
  })
})
