import assert from 'node:assert/strict'
import { FuzzedDataProvider } from '@jazzer.js/core'
import stableStringify from 'fast-json-stable-stringify'
import { canonicalJson, type Shape } from '../../../src/message/canonical-json.ts'
import { snapshot } from '../../../src/message/snapshot.ts'
import { jsonValue } from '../values.ts'

/** Canonical JSON is what fast-json-stable-stringify writes, and does not depend on what was written before. */
export function fuzz(bytes: Buffer): void {
  const shapes: Shape[] = []
  for (const data of valuesIn(bytes)) {
    const copy = snapshotOf(data)
    if (copy === undefined) continue
    const expected = stableStringify(copy)
    assert.equal(canonicalJson(copy, shapes), expected)
    assert.equal(canonicalJson(copy), expected)
    assert.deepEqual(JSON.parse(expected), copy)
  }
}

/** Texts of JSON, one a line, or values that the bytes decide about. */
function valuesIn(bytes: Buffer): unknown[] {
  if (bytes[0] === 0x7b) return bytes.toString().split('\n').map(parsed)
  const from = new FuzzedDataProvider(bytes)
  const values: unknown[] = []
  while (from.remainingBytes > 0 && values.length < 8) values.push({ a: jsonValue(from), b: jsonValue(from) })
  return values
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function snapshotOf(data: unknown): object | undefined {
  try {
    return snapshot(data, Number.MAX_SAFE_INTEGER)
  } catch {
    return undefined
  }
}
