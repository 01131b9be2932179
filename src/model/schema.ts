import type { StandardSchemaV1 } from '@standard-schema/spec'
import { isThenable } from '../base/thenable.ts'
import { type Place, Refusal } from './refusal.ts'
import { isRecord } from './snapshot.ts'

/**
 * Validates a snapshot and returns the schema's output. Plain objects and arrays in it are copied and frozen, since
 * the application may own them; anything else (a `Date`, an instance) is passed on as it is. Throws a
 * {@link Refusal}: `SCHEMA_MISMATCH`, or `INVALID_OPTIONS` when the schema answers with a promise.
 * Source of the interface: https://standardschema.dev
 */
export function validate(schema: StandardSchemaV1, data: object, place: Place): unknown {
  let outcome: Outcome
  try {
    outcome = outcomeOf(schema, data, place)
  } catch (cause) {
    throw new Refusal('SCHEMA_MISMATCH', place, { reason: 'the validator threw', cause })
  }
  if (outcome instanceof Refusal) throw outcome
  return outcome.value
}

type Outcome = { readonly value: unknown } | Refusal

/** Reads the validator's answer, which may throw as well: it is the user's code. */
function outcomeOf(schema: StandardSchemaV1, data: object, place: Place): Outcome {
  const result: unknown = schema['~standard'].validate(data)
  if (!isRecord(result)) throw new TypeError('The validator answered no result.')
  if (isThenable(result)) {
    Promise.resolve(result).catch(() => {}) // its answer comes too late to matter
    return new Refusal('INVALID_OPTIONS', place)
  }
  const { issues } = result as { readonly issues?: readonly StandardSchemaV1.Issue[] }
  if (issues !== undefined) {
    return new Refusal('SCHEMA_MISMATCH', place, { reason: issues.map(describeIssue).join('; '), issues })
  }
  if (!('value' in result)) throw new TypeError('The validator answered neither issues nor a value.')
  return { value: result.value === data ? data : frozenCopy(result.value, new Map()) }
}

function describeIssue(issue: StandardSchemaV1.Issue): string {
  const path = (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part))
  return `${issue.message} at ${['$', ...path].join('.')}`
}

/** Copies plain objects and arrays all the way down. `copies` has those that were begun: an output may be cyclic. */
function frozenCopy(value: unknown, copies: Map<unknown, unknown>): unknown {
  const isList = Array.isArray(value)
  const prototype: unknown = isList || !isRecord(value) ? undefined : Object.getPrototypeOf(value)
  // A `Date` or another class instance that a schema revives keeps its own ways.
  if (!isList && prototype !== Object.prototype && prototype !== null) return value
  const known = copies.get(value)
  if (known !== undefined) return known
  const copy = isList ? new Array(value.length) : Object.create(prototype as object | null)
  copies.set(value, copy)
  for (const [key, member] of Object.entries(value as object)) {
    Object.defineProperty(copy, key, { value: frozenCopy(member, copies), enumerable: true })
  }
  return Object.freeze(copy)
}
