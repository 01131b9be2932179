import { expect, test } from 'vitest'
import { decodeUtf8, Utf8Writer } from '../../src/base/utf8.ts'

const TEXTS = ['', 'a', 'é黄😀', '\ud800', 'x'.repeat(1_365), 'x'.repeat(1_366), '黄'.repeat(5_000)]

test('text is written as by TextEncoder, and earlier bytes stay as they are', () => {
  const writer = new Utf8Writer()
  const written = Array.from({ length: 200 }, (_, nth) => {
    const text = `${nth}${TEXTS[nth % TEXTS.length]}`
    return { text, bytes: writer.encode(text) }
  })
  for (const { text, bytes } of written) expect(bytes).toEqual(new TextEncoder().encode(text))
})

test('short text shares memory, of which little is kept alive by one piece', () => {
  const writer = new Utf8Writer()
  const [first, second] = [writer.encode('first'), writer.encode('second')]
  expect(second.buffer).toBe(first.buffer)
  expect(first.buffer.byteLength).toBe(16_384)
  expect(decodeUtf8(first) + decodeUtf8(second)).toBe('firstsecond')
  expect(writer.encode('x'.repeat(1_366)).buffer).not.toBe(first.buffer)
})

test.each([[[0xff]], [[0xc3]], [[0xed, 0xa0, 0x80]], [[0xf0, 0x9f, 0x98]]])(
  'the bytes %j are no UTF-8, which throws',
  (bytes) => {
    expect(() => decodeUtf8(new Uint8Array(bytes))).toThrow(TypeError)
  },
)

test('a byte order mark is a character like any other, which JSON does not allow', () => {
  expect(decodeUtf8(new Uint8Array([0xef, 0xbb, 0xbf, 0x7b, 0x7d]))).toBe('\ufeff{}')
})
