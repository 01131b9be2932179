import { isPoison, MAX_DEPTH } from './snapshot.ts'
import { utf8Length } from './utf8.ts'

/** What became of parsed JSON from outside. */
export type Seal = 'sealed' | 'malformed' | 'tooLarge'

/**
 * Freezes data that `JSON.parse` just made, in place and all the way down, and checks what no snapshot would
 * have: keys that change a prototype, numbers beyond a double, and deeper nesting. `tooLarge` is data whose JSON has
 * more than `maxBytes` bytes. The text it came from was scanned before, so the nesting cannot exhaust the stack.
 */
export function seal(data: object, maxBytes: number): Seal {
  if (!freeze(data, 1)) return 'malformed'
  // Most data is far below the limit: three bytes a character of what JSON writes is the most that UTF-8 takes.
  const text = JSON.stringify(data)
  return text.length * 3 > maxBytes && utf8Length(text) > maxBytes ? 'tooLarge' : 'sealed'
}

function freeze(value: unknown, depth: number): boolean {
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object' || value === null) return true
  if (depth > MAX_DEPTH) return false
  for (const key of Object.keys(value)) {
    const member: unknown = (value as Record<string, unknown>)[key]
    if (isPoison(key, member) || !freeze(member, depth + 1)) return false
  }
  Object.freeze(value)
  return true
}
