import type { StandardSchemaV1 } from '@standard-schema/spec'
import { Refusal } from './refusal.ts'
import { isRecord } from './snapshot.ts'

/**
 * Validates a snapshot and returns the schema's output, frozen as far as plain objects and arrays reach. Throws a
 * {@link Refusal}: `SCHEMA_MISMATCH`, or `INVALID_OPTIONS` when the schema answers with a promise.
 * Source of the interface: https://standardschema.dev
 */
export function validate(schema: StandardSchemaV1, data: object): unknown {
  let outcome: { readonly value: unknown } | Refusal
  try {
    outcome = outcomeOf(schema, data)
  } catch (cause) {
    throw new Refusal('SCHEMA_MISMATCH', { reason: 'the validator threw', cause })
  }
  if (outcome instanceof Refusal) throw outcome
  return outcome.value
}

/** Reads the validator's answer, which may throw as well: it is the user's code. */
function outcomeOf(schema: StandardSchemaV1, data: object): { readonly value: unknown } | Refusal {
  const result: unknown = schema['~standard'].validate(data)
  if (!isRecord(result)) throw new TypeError('The validator answered no result.')
  if (typeof result.then === 'function') {
    Promise.resolve(result).catch(() => {}) // its answer comes too late to matter
    return new Refusal('INVALID_OPTIONS')
  }
  const { issues } = result as { readonly issues?: readonly StandardSchemaV1.Issue[] }
  if (issues !== undefined) {
    return new Refusal('SCHEMA_MISMATCH', { reason: issues.map(describeIssue).join('; '), issues })
  }
  if (!('value' in result)) throw new TypeError('The validator answered neither issues nor a value.')
  const { value } = result
  if (value !== data) freezeDeep(value)
  return { value }
}

function describeIssue(issue: StandardSchemaV1.Issue): string {
  const path = (issue.path ?? []).map((segment) =>
    String(typeof segment === 'object' ? segment.key : segment),
  )
  return `${issue.message} at ${['$', ...path].join('.')}`
}

function freezeDeep(output: unknown): void {
  const seen = new Set<unknown>()
  const rest = [output]
  while (rest.length > 0) {
    const value = rest.pop()
    if (!isPlain(value) || seen.has(value)) continue
    seen.add(value)
    for (const member of Object.values(value)) rest.push(member)
    Object.freeze(value)
  }
}

/** A `Date` or another class instance that a schema revives keeps its own ways. */
function isPlain(value: unknown): value is object {
  if (Array.isArray(value)) return true
  if (!isRecord(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
