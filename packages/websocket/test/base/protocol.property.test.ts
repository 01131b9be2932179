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
    }),
    { numRuns: 2_000 },
  )
})

test('writes nothing behind a message without a rest', () => {
  expect([...encodeText(KIND.pong)]).toEqual([7])
  expect([...encodeNumbered(KIND.barrier, 0x01020304)]).toEqual([5, 1, 2, 3, 4])
  expect([...encodeTopical(KIND.leave, 'a')]).toEqual([3, 0, 1, 97])
})

test('reads a topic of any length, and the text as it is', () => {
  const topic = 'x'.repeat(300)
  expect(decode(encodeTopical(KIND.leave, topic))).toMatchObject({ topic, rest: new Uint8Array(0) })
  expect(textOf(new Uint8Array([0xef, 0xbb, 0xbf, 0x61]))).toBe('\ufeffa')
  expect(textOf(new Uint8Array([0xff]))).toBeUndefined()
})

test('reads an object as JSON, and one without members otherwise', () => {
  const read = (text: string) => objectOf(new TextEncoder().encode(text)).version
  expect(['{"version":1}', '[1]', '1', '"x"', 'null', '{', ''].map(read)).toEqual([
    1,
    ...Array(6).fill(undefined),
  ])
})
