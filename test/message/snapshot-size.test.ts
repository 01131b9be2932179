import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { seal } from '../../src/message/seal.ts'
import { LIMIT, refusalOf, take } from '../support/snapshots.ts'

/** A payload whose JSON has exactly `bytes` bytes. */
function ofBytes(bytes: number, unit: string, bytesPerUnit: number): object {
  const frame = '{"a":""}'.length
  const units = Math.floor((bytes - frame) / bytesPerUnit)
  return { a: unit.repeat(units) + 'x'.repeat(bytes - frame - units * bytesPerUnit) }
}

function objectOf(count: number, key: (index: number) => string, value: unknown): object {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [key(index), value]))
}

describe('the size of a message', () => {
  // RELIABILITY 54
  describe.each<[string, string, number]>([
    ['ASCII', 'x', 1],
    ['quotes', '"', 2],
    ['newlines', '\n', 2],
    ['control characters', '\u0001', 6],
    ['é', 'é', 2],
    ['€', '€', 3],
    ['emoji', '😀', 4],
    ['lone surrogates', '\ud800', 6],
    ['U+2028', '\u2028', 3],
    ['U+007F', '\u007f', 1],
    ['U+0080', '\u0080', 2],
    ['U+07FF', '\u07ff', 2],
    ['U+0800', '\u0800', 3],
    ['U+FFFF', '\uffff', 3],
  ])('in %s', (_, unit, bytesPerUnit) => {
    test.each([
      [4095, true],
      [4096, true],
      [4097, false],
    ])('of %i bytes passes: %s', (bytes, passes) => {
      const data = ofBytes(bytes, unit, bytesPerUnit)
      expect(Buffer.byteLength(JSON.stringify(data))).toBe(bytes)
      if (passes) expect(take(data)).toEqual(data)
      else expect(refusalOf(data)).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', bytes, maxBytes: LIMIT })
    })
  })

  test('counts keys, numbers, brackets and commas', () => {
    const data = { 'é\n': [1, 2.5, -1e-7, true, null, {}, []], b: { c: false } }
    const bytes = Buffer.byteLength(JSON.stringify(data))
    expect(take(data, bytes)).toEqual(data)
    expect(refusalOf(data, bytes - 1)).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', bytes })
  })

  test('is told as a lower bound where measuring stopped, and exactly where it did not', () => {
    expect(refusalOf({ a: 'x'.repeat(5000) })).toEqual({
      code: 'PAYLOAD_TOO_LARGE',
      bytes: 5008,
      maxBytes: LIMIT,
      atLeast: true,
    })
    expect(refusalOf({ a: 'é'.repeat(3000) })).toEqual({
      code: 'PAYLOAD_TOO_LARGE',
      bytes: 6008,
      maxBytes: LIMIT,
      atLeast: false,
    })
  })

  // Many of these in one message show a bound that is wrong by one byte each.
  test.each<[string, object]>([
    ['empty strings', { a: Array(1500).fill('') }],
    ['control characters', { a: Array(600).fill('\u0001') }],
    ['empty lists', { a: Array(1500).fill([]) }],
    ['empty objects', { a: Array(1500).fill({}) }],
    ['booleans', { a: Array(900).fill(true) }],
    ['members without text', objectOf(400, (index) => String.fromCharCode(0xd800 + index), '')],
    ['members with a number', objectOf(400, (index) => String.fromCharCode(0xd800 + index), 1)],
    ['members with a list', objectOf(400, (index) => String.fromCharCode(0xd800 + index), [])],
  ])('is over the limit with many %s as JSON has it, here and on the way in', (_, data) => {
    const bytes = Buffer.byteLength(JSON.stringify(data))
    expect(bytes).toBeGreaterThan(LIMIT)
    expect(refusalOf(data).code).toBe('PAYLOAD_TOO_LARGE')
    expect(seal(structuredClone(data), LIMIT)).toBe('tooLarge')
    expect(take(data, bytes)).toEqual(data)
    expect(seal(structuredClone(data), bytes)).toBe('sealed')
  })

  test.each<[string, object]>([
    ['strings', { a: Array(3000).fill('') }],
    ['lists', { a: Array(3000).fill([]) }],
    ['members', objectOf(450, (index) => `k${index + 100}`, true)],
  ])('is found too large without counting it where many %s alone are too many', (_, data) => {
    expect(refusalOf(data)).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', atLeast: true })
  })

  test('of the smallest object is 2 bytes', () => {
    expect(take({}, 2)).toEqual({})
  })

  test('is not counted exactly where a cheap upper bound is within the limit', () => {
    const within = {
      truck: 7,
      at: '2024-05-01T12:00:00Z',
      stops: [{ n: 1 }, { n: 2 }],
      numbers: Array(70).fill(1),
      note: 'é'.repeat(300),
    }
    const perhapsOver = { note: 'x'.repeat(2000) }
    const stringify = vi.spyOn(JSON, 'stringify')
    onTestFinished(() => stringify.mockRestore())
    take(within)
    expect(seal({ ...within }, LIMIT)).toBe('sealed')
    expect(stringify).not.toHaveBeenCalled()
    take(perhapsOver)
    expect(seal({ ...perhapsOver }, LIMIT)).toBe('sealed')
    expect(stringify).toHaveBeenCalledTimes(2)
  })
})

describe('the walk', () => {
  /** Counts the reads of elements through a Proxy. */
  function counting<T extends object>(target: T): { proxy: T; reads: () => number } {
    let reads = 0
    const proxy = new Proxy(target, {
      get: (inner, key, receiver) => {
        if (typeof key === 'string' && key !== 'toJSON' && key !== 'length') reads++
        return Reflect.get(inner, key, receiver)
      },
    })
    return { proxy, reads: () => reads }
  }

  test('refuses a sparse array of ten million without reading an element', () => {
    const { proxy, reads } = counting(new Array(10_000_000))
    expect(refusalOf({ a: proxy })).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', atLeast: true })
    expect(reads()).toBe(0)
  })

  test('refuses an array that claims an endless length without reading an element', () => {
    const { proxy, reads } = counting(
      new Proxy([], { get: (_, key) => (key === 'length' ? Infinity : undefined) }),
    )
    expect(refusalOf({ a: proxy }).code).toBe('PAYLOAD_TOO_LARGE')
    expect(reads()).toBe(0)
  })

  test('stops reading an array as soon as the smallest size is over the limit', () => {
    const { proxy, reads } = counting(new Array(2000).fill('xxxxxxxx'))
    expect(refusalOf({ a: proxy }).code).toBe('PAYLOAD_TOO_LARGE')
    expect(reads()).toBeLessThan(LIMIT / 10)
  })

  test('stops reading an object as soon as the smallest size is over the limit', () => {
    const { proxy, reads } = counting(
      Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`k${index}`, 1])),
    )
    expect(refusalOf({ a: proxy }).code).toBe('PAYLOAD_TOO_LARGE')
    expect(reads()).toBeLessThan(LIMIT / 5)
  })

  // RELIABILITY 63
  test.each<[string, (part: unknown) => object]>([
    ['objects', (part) => ({ l: part, r: part })],
    ['arrays', (part) => [part, part]],
  ])('ends a bomb of 2^24 shared %s after as many reads as a message has bytes', (_, double) => {
    let reads = 0
    let bomb: unknown = {
      get leaf() {
        reads++
        return 1
      },
    }
    for (let level = 0; level < 24; level++) bomb = double(bomb)
    expect(refusalOf({ bomb }).code).toBe('PAYLOAD_TOO_LARGE')
    expect(reads).toBeLessThan(LIMIT)
  })

  test('ends a bomb of shared objects with nothing in them that JSON writes', () => {
    let reads = 0
    const empty = Object.defineProperties(
      {},
      Object.fromEntries(
        Array.from({ length: 1000 }, (_, index) => [
          `k${index}`,
          { enumerable: true, get: () => void reads++ },
        ]),
      ),
    )
    expect(refusalOf({ a: new Array(1000).fill(empty) })).toMatchObject({
      code: 'INVALID_DATA',
      reason: 'More than 65536 members that JSON leaves out',
    })
    expect(reads).toBe(65_537)
    expect(take({ a: new Array(60).fill(empty) })).toEqual({ a: new Array(60).fill({}) })
  })

  test('refuses a string or a key of a hundred million characters without encoding it', () => {
    const text = 'x'.repeat(100_000_000) // a rope: reading any character would flatten it
    expect(refusalOf({ a: text })).toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
      bytes: 100_000_008,
      atLeast: true,
    })
    expect(refusalOf({ [text]: 1 })).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', atLeast: true })
  })

  test('refuses a typed array of a hundred million elements without making its keys', () => {
    expect(refusalOf({ a: new Uint8Array(100_000_000) })).toMatchObject({ code: 'INVALID_DATA' })
  })
})
