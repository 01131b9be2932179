import type { StandardSchemaV1 } from '@standard-schema/spec'
import { isThenable } from '../base/thenable.ts'
import { type Place, Refusal } from '../errors/refusal.ts'
import { pathText } from './path.ts'
import { isRecord } from './snapshot.ts'

/**
 * Validates a snapshot and returns the schema's output. Plain objects and arrays in it are copied and frozen, since the
 * application may own them; anything else (a `Date`, an instance) is passed on as it is. Throws a {@link Refusal}:
 * `SCHEMA_MISMATCH`, or `INVALID_OPTIONS` when the schema returns a promise. Source of the interface:
 * https://standardschema.dev
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

/** Reads the validator's result, whose getters may throw as well: it is the user's code. */
function outcomeOf(schema: StandardSchemaV1, data: object, place: Place): Outcome {
  const result: unknown = schema['~standard'].validate(inputOf(schema, data))
  // ArkType's failure is an array.
  if (typeof result !== 'object' || result === null) throw new TypeError('The validator returned no result.')
  if (isThenable(result)) {
    Promise.resolve(result).catch(() => {}) // its result comes too late to matter
    return new Refusal('INVALID_OPTIONS', place)
  }
  const { issues } = result as { readonly issues?: unknown }
  if (issues !== undefined) return mismatchOf(issues, place)
  if (!('value' in result)) throw new TypeError('The validator returned neither issues nor a value.')
  return { value: result.value === data ? data : frozenCopy(result.value, new Map()) }
}

/**
 * Returns an unfrozen copy for ArkType, which writes its outputs and defaults into a copy of its input that is as
 * frozen as the input: https://github.com/arktypeio/arktype/blob/main/ark/util/clone.ts.
 */
function inputOf(schema: StandardSchemaV1, data: object): object {
  return schema['~standard'].vendor === 'arktype' ? JSON.parse(JSON.stringify(data)) : data
}

function mismatchOf(issues: unknown, place: Place): Refusal {
  if (!Array.isArray(issues)) throw new TypeError('The validator returned issues that are no array.')
  // ArkType's array is of a class of its own, whose `map` would make another one of that class.
  const found = Array.from(issues as readonly StandardSchemaV1.Issue[], (issue) => ({
    message: issue.message,
    path: pathText((issue.path ?? []).map((part) => (typeof part === 'object' ? part.key : part))),
  }))
  const reason = found.map(({ message, path }) => `${message} at ${path}`).join('; ')
  return new Refusal('SCHEMA_MISMATCH', place, { reason, issues, path: found[0]?.path })
}

/** Copies plain objects and arrays all the way down. `copies` has the copies begun so far: an output may be cyclic. */
function frozenCopy(value: unknown, copies: Map<unknown, unknown>): unknown {
  const isList = Array.isArray(value)
  const prototype: unknown = isList || !isRecord(value) ? undefined : Object.getPrototypeOf(value)
  // A `Date` or another class instance that a schema revives is passed on as it is.
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
