/** An object of the language or the platform of which JSON keeps nothing useful, or only the primitive inside. */
export interface BuiltIn {
  readonly name: string
  /** The advice for a replacement; for a boxed primitive, a function that returns the value that JSON writes. */
  readonly remedy: string | ((value: unknown) => unknown)
  readonly prototype?: object
  /** A member that throws unless the object has the internal slot: a mere claim by `Symbol.toStringTag` does not count. */
  readonly member?: string | undefined
}

type Kind = { readonly name: string; readonly prototype: object }

/**
 * The remedies, with the member if the language has one. Built-ins of the platform, and those that not every runtime
 * has, are listed by name: reading `Headers` would make Node load its whole HTTP client.
 */
const TABLE: readonly [Kind | string, BuiltIn['remedy'], member?: string][] = [
  [Number, (value) => +(value as number), 'valueOf'],
  [String, String, 'valueOf'],
  [Boolean, (value) => Boolean.prototype.valueOf.call(value), 'valueOf'],
  [BigInt, (value) => BigInt.prototype.valueOf.call(value), 'valueOf'],
  [Map, 'Object.fromEntries(map)', 'size'],
  [Set, '[...set]', 'size'],
  [WeakMap, 'its values', 'has'],
  [WeakSet, 'its values', 'has'],
  [RegExp, 'String(expression)', 'source'],
  [ArrayBuffer, 'a string of its bytes', 'byteLength'],
  [Promise, 'what it resolves to: await it first'],
  [Error, '{ name: error.name, message: error.message }'],
  ['DOMException', '{ name: error.name, message: error.message }'],
  ['SharedArrayBuffer', 'a string of its bytes'],
  ['URLSearchParams', 'Object.fromEntries(parameters)'],
  ['Headers', 'Object.fromEntries(headers)'],
  ['Blob', 'await blob.text()'],
  ['File', 'await file.text()'],
]

/** By name, and by prototype. */
const BUILT_INS = new Map<unknown, BuiltIn>(
  TABLE.flatMap(([kind, remedy, member]): [unknown, BuiltIn][] => {
    if (typeof kind === 'string') return [[kind, { name: kind, remedy }]]
    const builtIn = { name: kind.name, prototype: kind.prototype, remedy, member }
    return [
      [builtIn.name, builtIn],
      [builtIn.prototype, builtIn],
    ]
  }),
)
const VIEW: BuiltIn = { name: 'typed array', remedy: 'Array.from(array), or a string of its bytes' }
/** The most prototypes that are read: a chain of proxies could be endless. */
const LONGEST_CHAIN = 32

/** Returns what kind of built-in an object is, of any realm; `undefined` for an ordinary object. */
export function builtInOf(value: object): BuiltIn | undefined {
  if (ArrayBuffer.isView(value)) return VIEW
  let found: BuiltIn | undefined
  let prototype: unknown = Object.getPrototypeOf(value)
  for (let depth = 0; found === undefined && prototype !== null && depth < LONGEST_CHAIN; depth++) {
    found = BUILT_INS.get(prototype)
    prototype = Object.getPrototypeOf(prototype)
  }
  found ??= BUILT_INS.get(Object.prototype.toString.call(value).slice(8, -1))
  return found !== undefined && hasSlot(found, value) ? found : undefined
}

function hasSlot({ prototype, member }: BuiltIn, value: object): boolean {
  if (member === undefined) return true
  try {
    const read: unknown = Reflect.get(prototype as object, member, value)
    if (typeof read === 'function') read.call(value)
    return true
  } catch {
    return false
  }
}
