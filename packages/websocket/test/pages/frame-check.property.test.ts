import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonicalJson } from '../../../../src/model/canonical-json.ts'
import { encodeRemoval, joinMessages } from '../../../../src/model/frame.ts'
import { sidOf } from '../../../../src/model/message.ts'
import { checkFrame } from '../../src/pages/frame-check.ts'

const MAX_BYTES = 65_536
const PREFIX = 'aaaaaaaaaaaa'
const SID = sidOf(`${PREFIX}0001`, 1)

const check = (text: string) => checkFrame(new TextEncoder().encode(text), MAX_BYTES)

const messageText = fc
  .record({
    data: fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue(), { maxKeys: 5 }),
    sequence: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    tMs: fc.nat(),
  })
  .filter(({ data }) => !Object.hasOwn(data, '__proto__') && !Object.hasOwn(data, 'constructor'))
  .map(({ data, sequence, tMs }) => {
    const json = canonicalJson(JSON.parse(JSON.stringify(data)))
    return `{"data":${json},"sid":"${sidOf(`${PREFIX}0001`, sequence)}","t":${tMs}}`
  })

describe('the check of a frame', () => {
  test('takes what the library writes, and nothing that differs by a byte and means the same', () => {
    const frames = fc.array(messageText, { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(frames, (messages) => {
        const text = joinMessages(messages)
        expect(check(text)).toEqual({ prefix: PREFIX, messages: messages.length, isRemoval: false })
        for (const other of [` ${text}`, `${text}\n`, text.replace(':', ': '), `[${text}]`, `[[${text}]]`]) {
          expect(check(other), other).toBeTypeOf('string')
        }
      }),
      { numRuns: 2_000 },
    )
  })

  test.each([
    ['a key twice', `{"data":{"a":1,"a":2},"sid":"${SID}","t":1}`],
    ['data twice', `{"data":{"a":1},"data":{"a":2},"sid":"${SID}","t":1}`],
    ['a sid twice', `{"data":{},"sid":"${SID}","sid":"${SID}","t":1}`],
    ['keys that are not sorted', `{"data":{"b":1,"a":2},"sid":"${SID}","t":1}`],
    ['a key that is not known', `{"data":{},"sid":"${SID}","t":1,"u":1}`],
    ['a key that is escaped', `{"data":{"\\u0061":1},"sid":"${SID}","t":1}`],
    ['its parts in another order', `{"sid":"${SID}","data":{},"t":1}`],
    ['white space', `{"data":{"a": 1},"sid":"${SID}","t":1}`],
    ['no sid', '{"data":{},"t":1}'],
    ['no age', `{"data":{},"sid":"${SID}"}`],
    ['an age that is not whole', `{"data":{},"sid":"${SID}","t":1.5}`],
    ['an age below zero', `{"data":{},"sid":"${SID}","t":-1}`],
    ['a list of one message', `[{"data":{},"sid":"${SID}","t":1}]`],
    ['a list of none', '[]'],
    ['a removal with data', `{"removed":true,"data":{},"sid":"${SID}","t":1}`],
    ['a removal without an age', `{"removed":true,"sid":"${SID}"}`],
    ['a byte order mark', `\ufeff{"data":{},"sid":"${SID}","t":1}`],
    ...['-0', '01', '1.0', '1e3', '1E+21', '0.10', '9007199254740993', '1e999'].map((number) => [
      `the number ${number}`,
      `{"data":{"n":${number}},"sid":"${SID}","t":1}`,
    ]),
  ])('refuses %s', (_, text) => {
    expect(check(text as string)).toBeTypeOf('string')
  })

  test('takes a removal', () => {
    expect(check(encodeRemoval(SID, 12))).toEqual({ prefix: PREFIX, messages: 1, isRemoval: true })
  })
})
