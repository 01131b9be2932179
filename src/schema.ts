import type { StandardSchemaV1 } from '@standard-schema/spec'
import { Refusal } from './refusal.ts'
import { isRecord } from './snapshot.ts'

/**
 * Validates a snapshot and returns the schema's output, frozen as far as plain objects and arrays reach. Throws a
 * {@link Refusal}: `SCHEMA_MISMATCH`, or `INVALID_OPTIONS` when the schema answers with a promise.
 * Source of the interface: https://standardschema.dev
 */
export function validate(schema: StandardSchemaV1, data: object): unknown {
  const result = callValidator(schema, data)
  if (result instanceof Promise || (isRecord(result) && typeof result.then === 'function')) {
    Promise.resolve(result).catch(() => {}) // its answer comes too late to matter
    throw new Refusal('INVALID_OPTIONS')
  }
  if (result.issues !== undefined) throw mismatch(result.issues)
  if (result.value !== data) freezeDeep(result.value)
  return result.value
}

function callValidator(
  schema: StandardSchemaV1,
  data: object,
): ReturnType<StandardSchemaV1['~standard']['validate']> {
  try {
    return schema['~standard'].validate(data)
  } catch (cause) {
    throw new Refusal('SCHEMA_MISMATCH', { reason: 'the validator threw', cause })
  }
}

function mismatch(issues: readonly StandardSchemaV1.Issue[]): Refusal {
  const reason = issues.map(describeIssue).join('; ')
  return new Refusal('SCHEMA_MISMATCH', { reason, issues })
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
    rest.push(...Object.values(value))
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
