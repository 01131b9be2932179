import { jsonLength } from '../base/utf8.ts'
import { BYTES_PER_UNIT, isPoison, MAX_DEPTH, MOST_NUMBER_BYTES } from './snapshot.ts'

/** The outcome of sealing: frozen and fit to deliver, or the reason against it. */
export type Seal = 'sealed' | 'malformed' | 'tooLarge'

/**
 * Freezes data that `JSON.parse` just made, in place and all the way down, and checks for content that no snapshot has:
 * keys that change a prototype, numbers beyond a double, and deeper nesting. `tooLarge` is data whose JSON has more
 * than `maxBytes` bytes. Its text was scanned before, so the nesting cannot exhaust the stack.
 */
export function seal(data: object, maxBytes: number): Seal {
  const mostBytes = freeze(data, 1)
  if (Number.isNaN(mostBytes)) return 'malformed'
  return mostBytes > maxBytes && jsonLength(JSON.stringify(data)) > maxBytes ? 'tooLarge' : 'sealed'
}

/** Freezes and returns the most bytes that the JSON may have, which spares counting; `NaN` for malformed data. */
function freeze(value: unknown, depth: number): number {
  if (typeof value === 'string') return value.length * BYTES_PER_UNIT + 2
  if (typeof value === 'number') return Number.isFinite(value) ? MOST_NUMBER_BYTES : Number.NaN
  if (typeof value !== 'object' || value === null) return 5
  if (depth > MAX_DEPTH) return Number.NaN
  let mostBytes = 2
  if (Array.isArray(value)) {
    for (const element of value) mostBytes += freeze(element, depth + 1) + 1
    Object.freeze(value)
    return mostBytes
  }
  for (const key of Object.keys(value)) {
    const member: unknown = (value as Record<string, unknown>)[key]
    if (isPoison(key, member)) return Number.NaN
    mostBytes += freeze(member, depth + 1) + key.length * BYTES_PER_UNIT + 4
  }
  Object.freeze(value)
  return mostBytes
}
