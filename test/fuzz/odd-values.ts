import vm from 'node:vm'
import type { FuzzedDataProvider } from '@jazzer.js/core'
import { anyText, jsonValue, manyOf } from './values.ts'

const MAX_LEVELS = 10
const elsewhere = vm.runInNewContext(
  '({ record: () => ({}), list: () => [], box: (value) => Object(value), map: () => new Map([[1, 2]]) })',
) as { record(): object; list(): unknown[]; box(value: unknown): object; map(): object }

/** Built-ins of which JSON keeps nothing useful, so a snapshot refuses them. */
const FORBIDDEN: readonly (() => unknown)[] = [
  () => new Map([[1, 2]]),
  () => new Set([1]),
  () => new WeakMap(),
  () => /x/,
  () => new Error('x'),
  () => Promise.resolve(1),
  () => new ArrayBuffer(2),
  () => new Uint8Array(2),
  () => new Headers(),
  () => new URLSearchParams('a=1'),
  () => elsewhere.map(),
  () => new (class extends Map {})(),
]
const ODD: readonly (() => unknown)[] = [
  () => undefined,
  () => () => 1,
  () => Symbol('odd'),
  () => Number.NaN,
  () => -Infinity,
  () => new Date(0),
  () => new Date(Number.NaN),
  () => Buffer.from('x'),
  () => new URL('http://a/'),
  () => Object(1),
  () => Object('x'),
  () => Object(false),
  () => elsewhere.box(7),
  () => elsewhere.box('y'),
  () => Object.create({ inherited: 1 }),
  () => Object.assign([], { 0: 1, 2: 3 }),
  () => new Array(5),
  () => Math,
  () => new Proxy([], {}),
]

class Instance {
  own = 1
  get inherited() {
    return 2
  }
}

/** Makes values that `JSON.stringify` replaces, leaves parts of out, or throws at. Reading one twice gives the same. */
export class OddValues {
  /** Whether a value that has to be refused was made: it may stand where nobody reads it. */
  hasForbidden = false
  /** Whether keys that change prototypes or deep nesting were made: they may stand where JSON leaves them out. */
  hasSpoiled = false
  /** Set as a value that has to be refused is read. */
  isForbiddenRead = false
  readonly #from: FuzzedDataProvider
  readonly #above: object[] = []

  constructor(from: FuzzedDataProvider) {
    this.#from = from
  }

  value(): unknown {
    const from = this.#from
    const isDeep = this.#above.length >= MAX_LEVELS || from.remainingBytes === 0
    switch (from.consumeIntegralInRange(0, isDeep ? 3 : 12)) {
      case 0:
      case 1:
        return jsonValue(from, MAX_LEVELS)
      case 2:
        return from.pickValue([...ODD])()
      case 3:
        return this.#hostile()
      case 4:
        return this.#replacing()
      case 5:
        return this.#list()
      case 6:
        return this.#nested()
      default:
        return this.#record()
    }
  }

  #hostile(): unknown {
    const from = this.#from
    switch (from.consumeIntegralInRange(0, 3)) {
      case 0:
        return from.consumeIntegral(1) === 7 ? 1n : null
      case 1:
        return this.#above.length > 0 && from.consumeIntegral(1) > 200
          ? from.pickValue(this.#above)
          : 'no circle'
      case 2:
        this.hasForbidden = true
        return from.pickValue([...FORBIDDEN])()
      default:
        return from.consumeIntegral(1) > 200 ? new Proxy({}, { ownKeys: fail }) : true
    }
  }

  /** Makes an object or a function with a member `toJSON`, which need not be a function. */
  #replacing(): unknown {
    const from = this.#from
    const value = this.value()
    const holder: object = from.pickValue([
      () => ({}),
      () => () => 1,
      () => new Date(5),
      () => new Map(),
      () => [],
    ])()
    const toJSON = from.pickValue([
      () => value,
      (key: unknown) => ({ key, kind: typeof key }),
      'no function',
      fail,
    ])
    // A view that `toJSON` gives is not asked for its own.
    if (holder instanceof Map || ArrayBuffer.isView(value)) this.hasForbidden = true
    return Object.assign(holder, { toJSON })
  }

  #list(): unknown {
    const list = this.#from.consumeBoolean() ? [] : elsewhere.list()
    this.#within(list, () => list.push(...manyOf(this.#from, () => this.value())))
    return this.#from.consumeBoolean() ? list : new Proxy(list, {})
  }

  /** Nests one value about as deep as is allowed. */
  #nested(): unknown {
    this.hasSpoiled = true
    let value = this.value()
    for (let levels = this.#from.consumeIntegralInRange(85, 102); levels > 0; levels--) {
      value = levels % 3 === 0 ? [value] : { a: value }
    }
    return value
  }

  #record(): object {
    const from = this.#from
    const kinds = [() => ({}), () => Object.create(null), () => new Instance(), () => elsewhere.record()]
    const record: Record<string, unknown> = from.pickValue(kinds)()
    this.#within(record, () => {
      for (const _ of manyOf(from, () => 1)) this.#define(record)
    })
    return from.consumeIntegral(1) > 230 ? new Proxy(record, {}) : record
  }

  #define(record: object): void {
    const from = this.#from
    const key =
      from.consumeIntegral(1) > 250 ? from.pickValue(['__proto__', 'constructor', 'toJSON']) : anyText(from)
    const value = key === 'constructor' ? { prototype: 1 } : this.value()
    if (key === '__proto__' || key === 'constructor') this.hasSpoiled = true
    const rest = { enumerable: from.consumeIntegral(1) > 20, configurable: true }
    const way = from.consumeIntegralInRange(0, 9)
    if (way === 0) Object.defineProperty(record, key, { get: () => value, ...rest })
    else if (way === 1 && key !== 'toJSON')
      Object.defineProperty(record, key, { get: () => this.#forbidden(), ...rest })
    else if (way === 2 && from.consumeIntegral(1) > 200)
      Object.defineProperty(record, key, { get: fail, ...rest })
    else Object.defineProperty(record, key, { value, writable: true, ...rest })
  }

  #forbidden(): unknown {
    this.hasForbidden = true
    this.isForbiddenRead = true
    return new Map([[1, 2]])
  }

  #within(holder: object, make: () => void): void {
    this.#above.push(holder)
    make()
    this.#above.pop()
  }
}

function fail(): never {
  throw new Error('reading throws')
}
