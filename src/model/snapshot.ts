import { utf8Length } from '../base/utf8.ts'
import { builtInOf } from './built-ins.ts'
import { type Place, Refusal } from './refusal.ts'

/** How deep data may nest; the root is level 1. JSON.stringify itself overflows the stack at about 5 000. */
export const MAX_DEPTH = 100

/** The most bytes that JSON writes for a UTF-16 unit: `\u0001`. */
export const BYTES_PER_UNIT = 6
/** The most bytes that JSON writes for a number: the 24 of -2.2250738585072014e-308, and one to spare. */
export const MOST_NUMBER_BYTES = 25
// What JSON leaves out has no size, so the limit on size alone would let an object of nothing but `undefined`, shared
// by a thousand others, be read for seconds.
const MAX_LEFT_OUT = 65_536
const LONGEST_KEY_SHOWN = 80

/**
 * Copies `data` as `JSON.stringify` would see it, into deep-frozen plain objects and arrays. Every value is read
 * once. Throws a {@link Refusal}: `INVALID_DATA` with the path of what JSON or a naive copy could not take, or
 * `PAYLOAD_TOO_LARGE` when the JSON has more than `maxBytes` bytes of UTF-8. It stops walking as soon as the
 * smallest possible size is over the limit. `place` is the stream that the refusal names.
 */
export function snapshot(data: unknown, maxBytes: number, place?: Place): object {
  const walk = new Walk(maxBytes, place)
  let copy: object
  try {
    copy = walk.root(data)
  } catch (thrown) {
    // What the data itself throws may be the refusal of another publish.
    throw thrown === walk.refusal ? thrown : walk.invalid('Reading the data threw', thrown)
  }
  walk.checkExactSize(copy)
  return copy
}

/** Tells whether a value is an object other than an array. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Tells whether an own key with this value would change a prototype when a subscriber copies it naively. */
export function isPoison(key: string, value: unknown): boolean {
  if (key === '__proto__') return true
  return key === 'constructor' && isRecord(value) && Object.hasOwn(value, 'prototype')
}

/** One container on the way from the root to where the walk is. */
class Frame {
  readonly source: object
  readonly parent: Frame | undefined
  readonly depth: number
  key: string | number | undefined = undefined

  constructor(source: object, parent: Frame | undefined) {
    this.source = source
    this.parent = parent
    this.depth = parent === undefined ? 1 : parent.depth + 1
  }
}

class Walk {
  /** Why the walk ended early. */
  refusal: Refusal | undefined = undefined
  readonly #maxBytes: number
  readonly #place: Place | undefined
  #frame: Frame | undefined = undefined
  /** No JSON of what has been read so far is shorter than this. */
  #leastBytes = 0
  /** No JSON of what has been read so far is longer than this. */
  #mostBytes = 0
  #leftOut = 0

  constructor(maxBytes: number, place: Place | undefined) {
    this.#maxBytes = maxBytes
    this.#place = place
  }

  /** Walks the whole data; a root that cannot be an object is not walked. */
  root(data: unknown): object {
    const canReplace = typeof data === 'object' || typeof data === 'function' || typeof data === 'bigint'
    const replaced = canReplace ? this.#replaced(data, '') : data
    const copy = isRecord(replaced) ? this.#record(replaced) : replaced
    if (isRecord(copy)) return copy
    throw this.invalid(`${rootOf(copy)} as the root`)
  }

  /** Returns the JSON value of `raw`, or `undefined` for what JSON leaves out. */
  value(raw: unknown, key: string | number): unknown {
    if (typeof raw === 'object' && raw !== null) {
      const replaced = this.#replaced(raw, key)
      return typeof replaced === 'object' && replaced !== null
        ? this.#container(replaced)
        : this.#primitive(replaced)
    }
    return this.#primitive(
      typeof raw === 'function' || typeof raw === 'bigint' ? this.#replaced(raw, key) : raw,
    )
  }

  /** Counts the bytes when the cheap bounds could not tell; throws `PAYLOAD_TOO_LARGE`. */
  checkExactSize(copy: object): void {
    if (this.#mostBytes <= this.#maxBytes) return
    const bytes = utf8Length(JSON.stringify(copy))
    if (bytes > this.#maxBytes) throw this.#tooLarge(bytes, false)
  }

  invalid(reason: string, cause?: unknown): Refusal {
    const details = { reason, path: pathOf(this.#frame), ...(cause === undefined ? {} : { cause }) }
    this.refusal = new Refusal('INVALID_DATA', this.#place, details)
    return this.refusal
  }

  /** Applies `toJSON`, which JSON.stringify looks for on objects, functions and BigInts. */
  #replaced(raw: unknown, key: string | number): unknown {
    if (raw === null || raw === undefined) return raw
    const { toJSON } = raw as { toJSON?: unknown }
    return typeof toJSON === 'function' ? toJSON.call(raw, String(key)) : raw
  }

  #primitive(value: unknown): string | number | boolean | null | undefined {
    switch (typeof value) {
      case 'string':
        this.#charge(value.length + 2, value.length * BYTES_PER_UNIT + 2)
        return value
      case 'number':
        if (!Number.isFinite(value)) return this.#null()
        this.#charge(1, MOST_NUMBER_BYTES)
        return value + 0 // -0 becomes 0
      case 'boolean':
        this.#charge(4, 5)
        return value
      case 'object':
        return this.#null()
      case 'bigint':
        throw this.invalid('A BigInt')
      default:
        return undefined
    }
  }

  #null(): null {
    this.#charge(4, 4)
    return null
  }

  #container(source: object): unknown {
    return Array.isArray(source) ? this.#array(source) : this.#record(source as Record<string, unknown>)
  }

  #record(source: Record<string, unknown>): unknown {
    const prototype: unknown = Object.getPrototypeOf(source)
    const isPlain = prototype === Object.prototype || prototype === null
    const builtIn = isPlain ? undefined : builtInOf(source)
    if (builtIn?.unbox !== undefined) return this.#primitive(builtIn.unbox(source as never))
    if (builtIn !== undefined)
      throw this.invalid(`${article(builtIn.name)} ${builtIn.name} (write ${builtIn.advice})`)
    return isPlain && !isPrototypePolluted() ? this.#plain(source) : this.#ordinary(source)
  }

  #array(source: readonly unknown[]): readonly unknown[] {
    const frame = this.#enter(source)
    const length = lengthOf(source)
    // Brackets, commas and at least one byte an element: a sparse array of ten million ends here.
    this.#checkRoom(2 * length + 1)
    this.#charge(1, 2)
    const copy: unknown[] = []
    for (let index = 0; index < length; index++) {
      frame.key = index
      const value = this.value(source[index], index)
      copy.push(value === undefined ? this.#null() : value)
      this.#charge(1, 1)
    }
    this.#frame = frame.parent
    return Object.freeze(copy)
  }

  /**
   * `for in` spares the list of keys, and gives the same ones since no prototype adds to them. Strings and numbers
   * are taken in the loop itself, where the engine knows their place in the object; an object of nothing else needs
   * no frame unless reading it throws.
   */
  #plain(source: Record<string, unknown>): object {
    this.#checkPlace(source)
    this.#charge(1, 2)
    let frame: Frame | undefined
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
          frame ??= this.#enter(source)
          frame.key = key
          this.#member(copy, key, raw)
        }
      }
    } catch (thrown) {
      frame ??= this.#enter(source)
      frame.key = at
      throw thrown
    }
    if (frame !== undefined) this.#frame = frame.parent
    return Object.freeze(copy)
  }

  #ordinary(source: Record<string, unknown>): object {
    const frame = this.#enter(source)
    const copy: Record<string, unknown> = {}
    this.#charge(1, 2)
    for (const key of Object.keys(source)) {
      frame.key = key
      this.#member(copy, key, source[key])
    }
    this.#frame = frame.parent
    return Object.freeze(copy)
  }

  #member(copy: Record<string, unknown>, key: string, raw: unknown): void {
    if (key === '__proto__') throw this.invalid('A key named __proto__')
    const value = this.value(raw, key)
    if (value === undefined) {
      this.#leaveOut()
      return
    }
    if (isPoison(key, value)) throw this.invalid('A key named constructor that holds a prototype')
    this.#charge(key.length + 4, key.length * BYTES_PER_UNIT + 4)
    put(copy, key, value)
  }

  #enter(source: object): Frame {
    this.#checkPlace(source)
    this.#frame = new Frame(source, this.#frame)
    return this.#frame
  }

  #checkPlace(source: object): void {
    if (this.#frame?.depth === MAX_DEPTH) throw this.invalid(`Nesting deeper than ${MAX_DEPTH} levels`)
    for (let above = this.#frame; above !== undefined; above = above.parent) {
      if (above.source === source) throw this.invalid('A cycle')
    }
  }

  #charge(leastBytes: number, mostBytes: number): void {
    this.#leastBytes += leastBytes
    this.#mostBytes += mostBytes
    if (this.#leastBytes > this.#maxBytes) throw this.#tooLarge(this.#leastBytes, true)
  }

  /** Refuses, before it is walked, what takes so many bytes at the least. */
  #checkRoom(leastBytes: number): void {
    const bytes = this.#leastBytes + leastBytes
    if (bytes > this.#maxBytes) throw this.#tooLarge(bytes, true)
  }

  #leaveOut(): void {
    if (++this.#leftOut > MAX_LEFT_OUT) {
      throw this.invalid(`More than ${MAX_LEFT_OUT} members that JSON leaves out`)
    }
  }

  #tooLarge(bytes: number, atLeast: boolean): Refusal {
    this.refusal = new Refusal('PAYLOAD_TOO_LARGE', this.#place, { bytes, maxBytes: this.#maxBytes, atLeast })
    return this.refusal
  }
}

/** Sets a member of a fresh copy. On a frozen `Object.prototype` assigning a key that it has, `toString`, throws. */
function put(copy: Record<string, unknown>, key: string, value: unknown): void {
  try {
    copy[key] = value
  } catch {
    Object.defineProperty(copy, key, { value, enumerable: true })
  }
}

function article(name: string): string {
  return /^[AE]/.test(name) ? 'An' : 'A'
}

/** Names a root that is no object, with what to write instead. */
function rootOf(value: unknown): string {
  if (Array.isArray(value)) return 'An array (write { items: […] })'
  if (value === null || value === undefined) return `${value} (write {} for a message without content)`
  if (typeof value === 'function' || typeof value === 'symbol') return `A ${typeof value}`
  return `A ${typeof value} (write { value: … })`
}

function isPrototypePolluted(): boolean {
  for (const _ in Object.prototype) return true
  return false
}

/** Reads a length as JSON.stringify does. */
function lengthOf(source: { readonly length: unknown }): number {
  const length = Math.trunc(+(source.length as number)) || 0
  return Math.min(Math.max(length, 0), Number.MAX_SAFE_INTEGER)
}

function pathOf(frame: Frame | undefined): string {
  if (frame === undefined) return '$'
  const { key } = frame
  if (key === undefined) return pathOf(frame.parent)
  if (typeof key === 'number') return `${pathOf(frame.parent)}[${key}]`
  const shown = key.slice(0, LONGEST_KEY_SHOWN)
  const isName = shown === key && /^[A-Za-z_$][\w$]*$/.test(key)
  return pathOf(frame.parent) + (isName ? `.${key}` : `[${JSON.stringify(shown)}]`)
}
