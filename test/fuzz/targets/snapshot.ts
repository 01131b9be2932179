import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import { FuzzedDataProvider } from '@jazzer.js/core'
import { Refusal } from '../../../src/errors/refusal.ts'
import { snapshot } from '../../../src/message/snapshot.ts'
import { assertClean, assertUnpolluted, isPoison } from '../laws.ts'
import { OddValues } from '../odd-values.ts'

const SIZES = [2, 30, 200, 4096, Number.MAX_SAFE_INTEGER]

/**
 * A snapshot equals `JSON.parse(JSON.stringify(x))` or is refused: for the reasons there are, and for no other. Reading
 * a value twice gives the same, so that both see one value.
 */
export function fuzz(bytes: Buffer): void {
  const from = new FuzzedDataProvider(bytes)
  const maxBytes = from.pickValue(SIZES)
  const values = new OddValues(from)
  const data = values.value()
  const json = jsonOf(data)
  values.isForbiddenRead = false
  const outcome = outcomeOf(data, maxBytes)
  assertUnpolluted()
  if (outcome instanceof Refusal) checkRefusal(outcome, json, maxBytes, values)
  else {
    assert.equal(values.isForbiddenRead, false, 'a built-in of which JSON keeps nothing was taken')
    assert.ok(json !== undefined, 'what JSON throws at was taken')
    assert.ok(equalsJson(outcome, json), `it is not ${json}`)
    assertClean(outcome)
    assert.ok(Buffer.byteLength(json) <= maxBytes, 'it is too large')
  }
}

/** Returns `undefined` where there is no JSON: JSON throws, or leaves the whole value out. */
function jsonOf(data: unknown): string | undefined {
  try {
    return JSON.stringify(data)
  } catch {
    return undefined
  }
}

function outcomeOf(data: unknown, maxBytes: number): object {
  try {
    return snapshot(data, maxBytes)
  } catch (thrown) {
    if (thrown instanceof Refusal) return thrown
    throw thrown
  }
}

// `JSON.parse` of Node 24 and 26 misreads some keys: https://github.com/nodejs/node/issues/63785. Then the texts tell.
function equalsJson(outcome: object, json: string): boolean {
  const read = JSON.parse(json)
  if (isDeepStrictEqual(outcome, read)) return true
  return JSON.stringify(read) !== json && JSON.stringify(outcome) === json
}

function checkRefusal(
  { code, details }: Refusal,
  json: string | undefined,
  maxBytes: number,
  values: OddValues,
) {
  const text = JSON.stringify([code, details.reason, details.path])
  if (json === undefined) return
  if (code === 'PAYLOAD_TOO_LARGE') {
    assert.ok(Buffer.byteLength(json) > maxBytes || values.hasForbidden, text)
    return
  }
  assert.equal(code, 'INVALID_DATA')
  const hasReason = values.hasForbidden || values.hasSpoiled || isRefusable(JSON.parse(json))
  assert.ok(hasReason, `${text}, but JSON takes it: ${json}`)
}

/** Tells whether plain data is refused: its root is no object, it nests too deep, or has a key that changes prototypes. */
function isRefusable(root: unknown): boolean {
  const isRecord = typeof root === 'object' && root !== null && !Array.isArray(root)
  return !isRecord || isSpoiled(root, 1)
}

function isSpoiled(value: unknown, level: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (level > 100) return true
  return Object.entries(value).some(
    ([key, member]) => (!Array.isArray(value) && isPoison(key, member)) || isSpoiled(member, level + 1),
  )
}
