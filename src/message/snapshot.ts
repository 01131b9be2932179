import { jsonLength } from '../base/utf8.ts'
import { type Place, Refusal, ROOT_REASON } from '../errors/refusal.ts'
import { builtInOf } from './built-ins.ts'
import { keyText } from './path.ts'

/** The deepest nesting of data; the root is level 1. JSON.stringify itself overflows the stack at about 5 000. */
export const MAX_DEPTH = 100

/** The most bytes that JSON writes for a UTF-16 unit: `\u0001`. */
export const BYTES_PER_UNIT = 6
/** The most bytes that JSON writes for a number: the 24 of -2.2250738585072014e-308, and one more. */
export const MOST_NUMBER_BYTES = 25
// Members that JSON leaves out have no size, so with the limit on size alone an object of nothing but `undefined`,
// shared by a thousand others, could be read for seconds.
const MAX_LEFT_OUT = 65_536

/**
 * Copies `data` as `JSON.stringify` would see it, into deep-frozen plain objects and arrays. Every value is read once.
 * Throws a {@link Refusal}: `INVALID_DATA` with the path of a value that JSON or a naive copy cannot represent, or
 * `PAYLOAD_TOO_LARGE` when the JSON has more than `maxBytes` bytes of UTF-8. It stops walking as soon as the smallest
 * possible size is over the limit. `place` is the stream that the refusal names.
 */
export function snapshot(data: unknown, maxBytes: number, place?: Place): object {
  const walk = new Walk(maxBytes, place)
  try {
    return walk.root(data)
  } catch (thrown) {
    // The data may throw the refusal of another publish, or a value that is no error.
    throw thrown !== undefined && thrown === walk.refusal
      ? thrown
      : walk.invalid('Reading the data threw', thrown)
  }
}

/** Returns whether a value is an object other than an array. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Returns whether an own key with this value would change a prototype when a subscriber copies it naively. */
export function isPoison(key: string, value: unknown): boolean {
  if (key === '__proto__') return true
  return key === 'constructor' && isRecord(value) && Object.hasOwn(value, 'prototype')
}

/** A container between the root and the current value of the walk, and the key that is being read. */
interface Level {
  readonly source: object
  readonly depth: number
  readonly parent: Level | undefined
  key: string | number | undefined
}

class Walk {
  /** The refusal, when the walk ended early. */
  refusal: Refusal | undefined = undefined
  readonly #maxBytes: number
  readonly #place: Place | undefined
  #level: Level | undefined = undefined
  /** A lower bound of the size of the JSON read so far. */
  #leastBytes = 0
  /** An upper bound of the size of the JSON read so far. */
  #mostBytes = 0
  #leftOut = 0

  constructor(maxBytes: number, place: Place | undefined) {
    this.#maxBytes = maxBytes
    this.#place = place
  }

  /** Walks the whole data; a root that cannot be an object is not walked. */
  root(data: unknown): object {
    const replaced = this.#replaced(data, '')
    const copy = isRecord(replaced) ? this.#record(replaced) : replaced
    if (!isRecord(copy)) throw this.invalid(`${ROOT_REASON}; this is ${rootOf(copy)}`)
    // The bytes are counted only when the cheap bounds do not decide.
    const bytes = this.#mostBytes > this.#maxBytes ? jsonLength(JSON.stringify(copy)) : 0
    if (bytes > this.#maxBytes) throw this.#tooLarge(bytes, false)
    return copy
  }

  invalid(reason: string, cause?: unknown): Refusal {
    const path = pathOf(this.#level)
    this.refusal = new Refusal('INVALID_DATA', this.#place, { reason, path, cause })
    return this.refusal
  }

  /** Returns the JSON value of `raw`, or `undefined` if JSON leaves it out. */
  #value(raw: unknown, key: string | number): unknown {
    const value = this.#replaced(raw, key)
    if (typeof value !== 'object' || value === null) return this.#primitive(value)
    return Array.isArray(value) ? this.#array(value) : this.#record(value as Record<string, unknown>)
  }

  /** Applies `toJSON`, which JSON.stringify calls on objects, functions and BigInts. */
  #replaced(raw: unknown, key: string | number): unknown {
    const isObject = typeof raw === 'object' ? raw !== null : typeof raw === 'function'
    if (!isObject && typeof raw !== 'bigint') return raw
    const { toJSON } = raw as { toJSON?: unknown }
    return typeof toJSON === 'function' ? toJSON.call(raw, String(key)) : raw
  }

  #primitive(value: unknown): string | number | boolean | null | undefined {
    switch (typeof value) {
      case 'string':
        this.#charge(value.length + 2, value.length * BYTES_PER_UNIT + 2)
        return value
      case 'number':
        if (!Number.isFinite(value)) return this.#primitive(null)
        this.#charge(1, MOST_NUMBER_BYTES)
        return value + 0 // -0 becomes 0
      case 'boolean':
      case 'object':
        this.#charge(4, 5)
        return value as boolean | null
      case 'bigint':
        throw this.invalid('A BigInt')
      default:
        return undefined
    }
  }

  #record(source: Record<string, unknown>): unknown {
    const prototype: unknown = Object.getPrototypeOf(source)
    const isPlain = prototype === Object.prototype || prototype === null
    const builtIn = isPlain ? undefined : builtInOf(source)
    if (builtIn === undefined) {
      return isPlain && !isPrototypePolluted() ? this.#plain(source) : this.#ordinary(source)
    }
    const { name, remedy } = builtIn
    if (typeof remedy !== 'string') return this.#primitive(remedy(source))
    throw this.invalid(`${/^[AE]/.test(name) ? 'An' : 'A'} ${name} (write ${remedy})`)
  }

  #array(source: readonly unknown[]): readonly unknown[] {
    const level = this.#enter(source)
    const length = Math.trunc(Math.max(0, source.length)) || 0
    // Brackets and commas before any element: a sparse array of ten million ends here.
    this.#charge(length + 1, length + 2)
    const copy: unknown[] = []
    for (let index = 0; index < length; index++) {
      level.key = index
      const value = this.#value(source[index], index)
      copy.push(value === undefined ? this.#primitive(null) : value)
    }
    this.#level = level.parent
    return Object.freeze(copy)
  }

  /**
   * Copies a plain object. `for in` avoids the list of keys, and iterates the same ones since no prototype adds to
   * them. The loop itself copies strings and numbers, since the engine knows their offset in the object there; an
   * object of nothing else needs no level unless reading it throws.
   */
  #plain(source: Record<string, unknown>): object {
    this.#checkPlace(source)
    this.#charge(1, 2)
    let level: Level | undefined
    const copy: Record<string, unknown> = {}
    let at: string | undefined
    try {
      for (const key in source) {
        at = key
        const raw = source[key]
        if (typeof raw === 'string' && key !== '__proto__') {
          const units = key.length + raw.length
          this.#charge(units + 6, units * BYTES_PER_UNIT + 6)
          put(copy, key, raw)
        } else if (typeof raw === 'number' && raw - raw === 0 && key !== '__proto__') {
          this.#charge(key.length + 5, key.length * BYTES_PER_UNIT + MOST_NUMBER_BYTES + 4)
          put(copy, key, raw + 0)
        } else {
          level ??= this.#enter(source)
          level.key = key
          this.#member(copy, key, raw)
        }
      }
    } catch (thrown) {
      level ??= this.#enter(source)
      level.key = at
      throw thrown
    }
    if (level !== undefined) this.#level = level.parent
    return Object.freeze(copy)
  }

  #ordinary(source: Record<string, unknown>): object {
    const level = this.#enter(source)
    const copy: Record<string, unknown> = {}
    this.#charge(1, 2)
    for (const key of Object.keys(source)) {
      level.key = key
      this.#member(copy, key, source[key])
    }
    this.#level = level.parent
    return Object.freeze(copy)
  }

  #member(copy: Record<string, unknown>, key: string, raw: unknown): void {
    if (key === '__proto__') throw this.invalid('A key named __proto__')
    const value = this.#value(raw, key)
    if (value === undefined) {
      if (++this.#leftOut <= MAX_LEFT_OUT) return
      throw this.invalid(`More than ${MAX_LEFT_OUT} members that JSON leaves out`)
    }
    if (isPoison(key, value)) throw this.invalid('A key named constructor that holds a prototype')
    this.#charge(key.length + 4, key.length * BYTES_PER_UNIT + 4)
    put(copy, key, value)
  }

  #enter(source: object): Level {
    this.#checkPlace(source)
    const parent = this.#level
    this.#level = { source, depth: (parent?.depth ?? 0) + 1, parent, key: undefined }
    return this.#level
  }

  #checkPlace(source: object): void {
    if (this.#level?.depth === MAX_DEPTH) throw this.invalid(`Nesting deeper than ${MAX_DEPTH} levels`)
    for (let above = this.#level; above !== undefined; above = above.parent) {
      if (above.source === source) throw this.invalid('A cycle')
    }
  }

  #charge(leastBytes: number, mostBytes: number): void {
    this.#leastBytes += leastBytes
    this.#mostBytes += mostBytes
    if (this.#leastBytes > this.#maxBytes) throw this.#tooLarge(this.#leastBytes, true)
  }

  #tooLarge(bytes: number, atLeast: boolean): Refusal {
    this.refusal = new Refusal('PAYLOAD_TOO_LARGE', this.#place, { bytes, maxBytes: this.#maxBytes, atLeast })
    return this.refusal
  }
}

/** Sets a member of a fresh copy. Assigning a key of a frozen `Object.prototype`, such as `toString`, would throw. */
function put(copy: Record<string, unknown>, key: string, value: unknown): void {
  try {
    copy[key] = value
  } catch {
    Object.defineProperty(copy, key, { value, enumerable: true })
  }
}

/** Names a root that is no object, with the advice for a replacement. */
function rootOf(value: unknown): string {
  if (Array.isArray(value)) return 'an array: write { items: […] }'
  if (value === null || value === undefined) return `${value}: write {} for a message without content`
  if (typeof value === 'function' || typeof value === 'symbol') return `a ${typeof value}`
  return `a ${typeof value}: write { value: … }`
}

function isPrototypePolluted(): boolean {
  for (const _ in Object.prototype) return true
  return false
}

function pathOf(level: Level | undefined): string {
  if (level === undefined) return '$'
  const path = pathOf(level.parent)
  return level.key === undefined ? path : path + keyText(level.key)
}
