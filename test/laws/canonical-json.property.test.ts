import assert from 'node:assert/strict'
import fc from 'fast-check'
import stableStringify from 'fast-json-stable-stringify'
import { describe, test } from 'vitest'
import { canonicalJson, type Shape } from '../../src/message/canonical-json.ts'
import { snapshot } from '../../src/message/snapshot.ts'

// Keys that sort in another way than they are listed, names that objects have anyway, and what JSON escapes.
const key = fc.oneof(
  fc.constantFrom(
    '10',
    '9',
    '01',
    'a',
    'b',
    'B',
    'é',
    '',
    'toString',
    'length',
    '"',
    '\\',
    '\u0000',
    '\ud800',
    '😀',
  ),
  fc.string({ unit: 'binary', maxLength: 4 }).filter((name) => name !== '__proto__'),
)
const { record } = fc.letrec<{ value: unknown; record: Record<string, unknown> }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.string({ unit: 'binary' }),
    fc.double(),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 4 }),
    tie('record'),
  ),
  record: fc.dictionary(key, tie('value'), { maxKeys: 5 }),
}))
const snapshotOf = record.map((data) => snapshot(data, Infinity))
const RUNS = { numRuns: 2_000 }

describe('canonical JSON', () => {
  test('is what fast-json-stable-stringify gives, whatever the data', () => {
    fc.assert(
      fc.property(snapshotOf, (copy) => assert.equal(canonicalJson(copy), stableStringify(copy))),
      RUNS,
    )
  })

  test('does not depend on what was written before', () => {
    const copies = fc.tuple(snapshotOf, snapshotOf, snapshotOf)
    fc.assert(
      fc.property(copies, fc.array(fc.nat({ max: 2 }), { maxLength: 8 }), (written, order) => {
        const shapes: Shape[] = []
        for (const index of order) {
          const copy = written[index] as object
          assert.equal(canonicalJson(copy, shapes), stableStringify(copy))
        }
      }),
      RUNS,
    )
  })

  test('takes data as deep as a message may be, and caches the keys of a few levels', () => {
    let data: object = { z: 1, a: 2 }
    for (let level = 1; level < 100; level++) data = { z: data, a: [] }
    const copy = snapshot(data, Infinity)
    const shapes: Shape[] = []
    assert.equal(canonicalJson(copy, shapes), stableStringify(copy))
    assert.equal(shapes.length, 8)
  })
})
