import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  decode,
  encodeNumbered,
  encodeText,
  encodeTopical,
  KIND,
  type Kind,
  objectOf,
  textOf,
} from '../../src/base/protocol.ts'
import { checkFrame } from '../../src/pages/frame-check.ts'
import { readHello } from '../../src/pages/hello.ts'

const kinds = (...names: (keyof typeof KIND)[]) => fc.constantFrom(...names.map((name) => KIND[name]))
const text = fc.string({ unit: 'binary' }).filter((value) => !/\p{Surrogate}/u.test(value))

test('reads a message of text as it was written', () => {
  const kind = kinds('hello', 'token', 'pong', 'welcome', 'renewed', 'ping')
  fc.assert(
    fc.property(kind, text, (kind, text) => {
      const message = decode(encodeText(kind, text))
      expect(message).toMatchObject({ kind, id: 0, topic: '' })
      expect(textOf(message?.rest as Uint8Array)).toBe(text)
    }),
  )
})

test('reads a message with a number as it was written', () => {
  fc.assert(
    fc.property(
      kinds('join', 'barrier', 'joined', 'refused'),
      fc.nat(2 ** 32 - 1),
      text,
      (kind, id, text) => {
        const message = decode(encodeNumbered(kind, id, text))
        expect(message).toMatchObject({ kind, id, topic: '' })
        expect(textOf(message?.rest as Uint8Array)).toBe(text)
      },
    ),
  )
})

test('reads a message with a topic as it was written', () => {
  fc.assert(
    fc.property(kinds('leave', 'frame', 'left', 'fault'), text, fc.uint8Array(), (kind, topic, rest) => {
      const message = decode(encodeTopical(kind, topic, rest))
      expect(message).toMatchObject({ kind, id: 0, topic })
      expect(message?.rest).toEqual(rest)
    }),
  )
})

test('throws at no bytes, and gives what it reads a known kind', () => {
  const known = new Set<Kind>(Object.values(KIND))
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.constantFrom(undefined, ...known), (bytes, kind) => {
      if (kind !== undefined) bytes[0] = kind
      const message = decode(bytes)
      if (message === undefined) return
      expect(known.has(message.kind)).toBe(true)
      objectOf(message.rest)
      expect(['string', 'object']).toContain(typeof readHello(message.rest))
      expect(['string', 'object']).toContain(typeof checkFrame(message.rest, 4_096))
    }),
    { numRuns: 2_000 },
  )
})

test('throws at no hello, whatever JSON it is', () => {
  const hello = fc.record(
    { version: fc.constantFrom(1, 2, '1'), hub: fc.anything(), token: fc.anything(), secret: fc.anything() },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(
      fc.oneof(
        hello,
        fc.json().map((json) => JSON.parse(json)),
      ),
      (value) => {
        const json = safeJson(value)
        const read = readHello(new TextEncoder().encode(json))
        expect(['string', 'object']).toContain(typeof read)
      },
    ),
    { numRuns: 1_000 },
  )
})

/** JSON of anything; what has none is left out. */
function safeJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? ''
  } catch {
    return ''
  }
}
