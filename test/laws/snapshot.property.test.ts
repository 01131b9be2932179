import assert from 'node:assert'
import fc from 'fast-check'
import stableStringify from 'fast-json-stable-stringify'
import { createHub } from 'rivulet'
import { describe, expect, test } from 'vitest'
import { Refusal } from '../../src/errors/refusal.ts'
import { canonicalJson } from '../../src/message/canonical-json.ts'
import { decodeFrame, encodeMessage } from '../../src/message/frame.ts'
import { Message } from '../../src/message/message.ts'
import { seal } from '../../src/message/seal.ts'
import { isPoison, snapshot } from '../../src/message/snapshot.ts'
import { jsonOf } from '../support/json-of.ts'
import { anyString, jsonRecord, nearlyJson } from '../support/nearly-json.ts'

const ORIGIN = '0123456789abcdef'
const RUNS = { numRuns: 2000 }
const NO_LIMIT = Number.MAX_SAFE_INTEGER

function check<T>(arbitrary: fc.Arbitrary<T>, property: (value: T) => void): void {
  fc.assert(
    fc.property(arbitrary, (value) => property(value)),
    RUNS,
  )
}

/** Gives the snapshot, or the code of the refusal. */
function outcome(data: unknown, maxBytes: number): object | string {
  try {
    return snapshot(data, maxBytes)
  } catch (thrown) {
    if (thrown instanceof Refusal) return thrown.code
    throw thrown
  }
}

function byteLength(data: unknown): number {
  return Buffer.byteLength(JSON.stringify(data))
}

function isDeepFrozen(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true
  return Object.isFrozen(value) && Object.values(value).every(isDeepFrozen)
}

function hasPoison(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return Object.entries(value).some(([key, member]) => isPoison(key, member) || hasPoison(member))
}

/** Canonical JSON by its definition, written without the library. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1))
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`).join(',')}}`
}

/** The same value with the keys of every object in the opposite order. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, member]) => [key, reversed(member)]),
  )
}

describe('a snapshot', () => {
  test('equals JSON.parse(JSON.stringify(x)) and is deep-frozen, for JSON data', () => {
    check(jsonRecord, (data) => {
      const copy = outcome(data, NO_LIMIT)
      assert.deepStrictEqual(copy, jsonOf(data))
      assert.ok(isDeepFrozen(copy))
    })
  })

  test('equals JSON.parse(JSON.stringify(x)) and is deep-frozen, for all that JSON has', () => {
    check(nearlyJson, (data) => {
      const expected = jsonOf(data)
      const copy = outcome(data, NO_LIMIT)
      if (hasPoison(expected)) assert.strictEqual(copy, 'INVALID_DATA')
      else assert.deepStrictEqual(copy, expected)
      assert.ok(isDeepFrozen(copy))
    })
  })

  test('is the same value after a trip over the wire', () => {
    check(nearlyJson, (data) => {
      const copy = outcome(data, NO_LIMIT)
      if (typeof copy === 'string') return
      const frame = encodeMessage(new Message(copy, true, ORIGIN, 1, undefined), copy, 0)
      const decoded = decodeFrame(new TextEncoder().encode(frame))
      const entry = Array.isArray(decoded) ? decoded[0] : undefined
      assert.deepStrictEqual(entry?.data, copy)
      assert.strictEqual(seal(entry?.data as object, NO_LIMIT), 'sealed')
      assert.ok(isDeepFrozen(entry?.data))
    })
  })

  test('of a snapshot is the same again', () => {
    check(nearlyJson, (data) => {
      const copy = outcome(data, NO_LIMIT)
      if (typeof copy === 'object') assert.deepStrictEqual(outcome(copy, NO_LIMIT), copy)
    })
  })

  test('refuses a BigInt, a lossy built-in, a throw, a cycle or a prototype key anywhere', () => {
    const hostile = fc.constantFrom<(holder: Record<string, unknown>) => void>(
      (holder) => Object.assign(holder, { bad: new Map() }),
      (holder) => Object.assign(holder, { bad: new Uint8Array(1) }),
      (holder) => Object.assign(holder, { bad: 1n }),
      (holder) => Object.assign(holder, { bad: holder }),
      (holder) => Object.assign(holder, { bad: { constructor: { prototype: {} } } }),
      (holder) => Object.defineProperty(holder, '__proto__', { value: 1, enumerable: true }),
      (holder) =>
        Object.defineProperty(holder, 'bad', {
          get: () => {
            throw new Error('getter')
          },
          enumerable: true,
        }),
    )
    const path = fc.array(fc.oneof(anyString, fc.constant(0)), { maxLength: 20 })
    check(fc.tuple(jsonRecord, path, hostile), ([data, keys, spoil]) => {
      const holder: Record<string, unknown> = { ...data }
      spoil(holder)
      const root = keys.reduce<unknown>((inner, key) => (key === 0 ? [inner] : { [key]: inner }), holder)
      assert.strictEqual(outcome({ root }, NO_LIMIT), 'INVALID_DATA')
    })
  })
})

describe('the limit', () => {
  const edge = fc.integer({ min: -3, max: 3 })

  test('accepts JSON data exactly when its JSON has at most maxBytes bytes', () => {
    check(fc.tuple(jsonRecord, edge), ([data, delta]) => {
      const bytes = byteLength(data)
      const result = outcome(data, bytes + delta)
      if (delta < 0) assert.strictEqual(result, 'PAYLOAD_TOO_LARGE')
      else assert.deepStrictEqual(result, jsonOf(data))
    })
  })

  test('accepts data exactly when its JSON has at most maxBytes bytes', () => {
    check(fc.tuple(nearlyJson, edge), ([data, delta]) => {
      if (hasPoison(jsonOf(data))) return
      const result = outcome(data, byteLength(data) + delta)
      if (delta < 0) assert.strictEqual(result, 'PAYLOAD_TOO_LARGE')
      else assert.strictEqual(typeof result, 'object')
    })
  })

  test('of 4096 bytes holds for data that was filled up to it', () => {
    const stream = createHub().stream('edge', { limit: false })
    check(fc.tuple(jsonRecord, edge), ([data, delta]) => {
      const room = 4096 - byteLength({ data, fill: '' }) + delta
      fc.pre(room >= 0)
      const result = stream.tryPublish({ data, fill: 'x'.repeat(room) })
      assert.strictEqual(result.ok ? 'accepted' : result.code, delta > 0 ? 'PAYLOAD_TOO_LARGE' : 'accepted')
      if (!result.ok) assert.ok((result.error.bytes as number) <= 4096 + delta)
    })
  })

  test('is the same for what comes from another process', () => {
    check(fc.tuple(jsonRecord, edge), ([data, delta]) => {
      const parsed = jsonOf(data) as object
      assert.strictEqual(seal(parsed, byteLength(parsed) + delta), delta < 0 ? 'tooLarge' : 'sealed')
    })
  })
})

describe('the canonical bytes', () => {
  test('are those of fast-json-stable-stringify of the snapshot', () => {
    check(nearlyJson, (data) => {
      const copy = outcome(data, NO_LIMIT)
      if (typeof copy === 'string') return
      assert.strictEqual(canonicalJson(copy), stableStringify(copy))
      assert.strictEqual(canonicalJson(copy), canonical(jsonOf(data)))
    })
  })

  test('are the same whatever the order of keys', () => {
    check(jsonRecord, (data) => {
      const copy = snapshot(data, NO_LIMIT)
      assert.strictEqual(canonicalJson(snapshot(reversed(data), NO_LIMIT)), canonicalJson(copy))
    })
  })

  test('are those of the frame, and their number is the size that the limit is about', () => {
    check(jsonRecord, (data) => {
      const copy = snapshot(data, NO_LIMIT)
      const frame = encodeMessage(new Message(copy, true, ORIGIN, 1, undefined), copy, 0)
      assert.ok(frame.startsWith(`{"data":${canonical(copy)},"sid":`))
      assert.strictEqual(Buffer.byteLength(canonical(copy)), byteLength(data))
    })
  })
})

test('the generators make what the properties are about', () => {
  const made = fc.sample(nearlyJson, { numRuns: 500, seed: 1 }).map((data) => JSON.stringify(data))
  expect(made.filter((json) => json !== '{}').length).toBeGreaterThan(250)
  expect(made.filter((json) => /\\ud[89a-f]/.test(json)).length).toBeGreaterThan(10)
  expect(made.filter((json) => json.includes('null')).length).toBeGreaterThan(50)
})
