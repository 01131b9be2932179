import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeFrame, encodeMessage, joinMessages, lastSid } from '../../src/message/frame.ts'
import { Message } from '../../src/message/message.ts'
import { snapshot } from '../../src/message/snapshot.ts'

const RUNS = { numRuns: 1_000 }
const toBytes = (text: string) => new TextEncoder().encode(text)

const hex16 = fc.stringMatching(/^[0-9a-f]{16}$/)
const data = fc
  .dictionary(
    fc.string({ unit: 'binary' }).filter((key) => key !== '__proto__' && key !== 'constructor'),
    fc.jsonValue({ maxDepth: 4 }),
    { maxKeys: 5 },
  )
  .filter((value) => !JSON.stringify(value).includes('"__proto__"'))
const message = fc.record({
  data,
  sequence: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  tMs: fc.nat({ max: 2 ** 31 - 1 }),
})
const frame = fc.record({ origin: hex16, messages: fc.array(message, { minLength: 1, maxLength: 8 }) })

function encode({ origin, messages }: typeof frame extends fc.Arbitrary<infer F> ? F : never): Uint8Array {
  const texts = messages.map(({ data, sequence, tMs }) => {
    const copy = snapshot(data, 1e9)
    return encodeMessage(new Message(copy, true, origin, sequence, undefined), copy, tMs)
  })
  return toBytes(joinMessages(texts))
}

describe('a frame', () => {
  test('reads back as what was written, whatever the data', () => {
    fc.assert(
      fc.property(frame, ({ origin, messages }) => {
        const expected = messages.map(({ data, sequence, tMs }) => ({
          sid: { origin, sequence },
          tMs,
          data: JSON.parse(JSON.stringify(data)),
        }))
        expect(decodeFrame(encode({ origin, messages }))).toEqual(expected)
      }),
      RUNS,
    )
  }, 120_000)

  test('has the sid of its last message in its last bytes, whatever the data', () => {
    fc.assert(
      fc.property(frame, hex16, (written, other) => {
        const expected = { origin: written.origin, sequence: written.messages.at(-1)?.sequence }
        for (const last of [undefined, written.origin, other])
          expect(lastSid(encode(written), last)).toEqual(expected)
      }),
      RUNS,
    )
  }, 120_000)

  test('never throws on random bytes or a good frame with some bytes changed', () => {
    const change = fc.tuple(fc.nat(), fc.nat({ max: 255 }))
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), frame, fc.array(change), (random, good, changes) => {
        const mutated = encode(good)
        for (const [at, value] of changes) mutated[at % mutated.length] = value
        for (const bytes of [random, mutated]) {
          const decoded = decodeFrame(bytes)
          lastSid(bytes, good.origin)
          if (decoded === undefined || 'removedBy' in decoded) continue
          for (const entry of decoded) {
            if (entry === undefined || entry === 'newer') continue
            expect(typeof entry.data === 'object' && !Array.isArray(entry.data)).toBe(true)
            expect(Number.isSafeInteger(entry.sid?.sequence ?? 1)).toBe(true)
            expect((entry.tMs ?? 0) >= 0 && Number.isFinite(entry.tMs ?? 0)).toBe(true)
          }
        }
      }),
      RUNS,
    )
  }, 120_000)

  // A frame that starts with a space is never canonical, and means the same.
  test('is read alike whether or not it is canonical, whatever was put into it', () => {
    const pieces = [
      ',"sid":"TZ',
      '{"data":',
      '","t":',
      '{"data":{}',
      '0',
      '-',
      '.5',
      'e9',
      ',',
      '}',
      '{',
      ']',
      '[',
    ]
    const nested = `{"a":${'['.repeat(99)}`
    const edit = fc.record({
      at: fc.nat(),
      removed: fc.nat({ max: 12 }),
      piece: fc.constantFrom('', ' ', 'A', 'g', '"', '\\', nested, '['.repeat(104), ...pieces),
    })
    fc.assert(
      fc.property(frame, fc.array(edit, { maxLength: 3 }), ({ origin, messages }, edits) => {
        let text = new TextDecoder().decode(encode({ origin, messages }))
        for (const { at, removed, piece } of edits) {
          const start = at % (text.length + 1)
          text = text.slice(0, start) + piece + text.slice(start + removed)
        }
        expect(decodeFrame(toBytes(text))).toEqual(decodeFrame(toBytes(` ${text}`)))
        expect(decodeFrame(toBytes(text), origin)).toEqual(decodeFrame(toBytes(` ${text}`)))
      }),
      { numRuns: 5_000 },
    )
  }, 120_000)
})
