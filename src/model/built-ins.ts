/** An object of the language or the platform of which JSON keeps nothing of use, or only the primitive inside. */
export interface BuiltIn {
  readonly name: string
  /** What to write instead. */
  readonly advice: string
  /** Throws unless the object has the internal slot: a mere claim by `Symbol.toStringTag` does not count. */
  readonly checkSlot?: (value: never) => unknown
  /** Returns the primitive that JSON writes. */
  readonly unbox?: (value: never) => unknown
}

const VIEW: BuiltIn = { name: 'typed array', advice: 'Array.from(array), or a string of its bytes' }

const BUILT_INS: readonly BuiltIn[] = [
  box(
    'Number',
    (value: number) => Number.prototype.valueOf.call(value),
    (value) => +value,
  ),
  box('String', (value: string) => String.prototype.valueOf.call(value), String),
  box('Boolean', (value: boolean) => Boolean.prototype.valueOf.call(value)),
  box('BigInt', (value: bigint) => BigInt.prototype.valueOf.call(value)),
  {
    ...named('Map', 'Object.fromEntries(map)'),
    checkSlot: (value: object) => Map.prototype.has.call(value, 0),
  },
  { ...named('Set', '[...set]'), checkSlot: (value: object) => Set.prototype.has.call(value, 0) },
  {
    ...named('WeakMap', 'its values'),
    checkSlot: (value: object) => WeakMap.prototype.has.call(value, value),
  },
  {
    ...named('WeakSet', 'its values'),
    checkSlot: (value: object) => WeakSet.prototype.has.call(value, value),
  },
  { ...named('RegExp', 'String(expression)'), checkSlot: getterOf(RegExp, 'source') },
  { ...named('ArrayBuffer', 'a string of its bytes'), checkSlot: getterOf(ArrayBuffer, 'byteLength') },
  named('SharedArrayBuffer', 'a string of its bytes'),
  named('Promise', 'what it resolves to: await it first'),
  named('Error', '{ name: error.name, message: error.message }'),
  named('DOMException', '{ name: error.name, message: error.message }'),
  named('URLSearchParams', 'Object.fromEntries(parameters)'),
  named('Headers', 'Object.fromEntries(headers)'),
  named('Blob', 'await blob.text()'),
  named('File', 'await file.text()'),
]

const BY_NAME = new Map(BUILT_INS.map((builtIn) => [builtIn.name, builtIn]))

/** Of the language only: asking Node for `Headers` would load its whole HTTP client. */
const LANGUAGE = [
  Number,
  String,
  Boolean,
  BigInt,
  Map,
  Set,
  WeakMap,
  WeakSet,
  RegExp,
  ArrayBuffer,
  Promise,
  Error,
]
const BY_PROTOTYPE = new Map<unknown, BuiltIn | undefined>(
  LANGUAGE.map((kind) => [kind.prototype, BY_NAME.get(kind.name)]),
)
/** A chain of proxies could go on for ever. */
const LONGEST_CHAIN = 32

/** Returns what kind of built-in an object is, of any realm; `undefined` for an ordinary object. */
export function builtInOf(value: object): BuiltIn | undefined {
  if (ArrayBuffer.isView(value)) return VIEW
  const builtIn = byPrototype(value) ?? BY_NAME.get(Object.prototype.toString.call(value).slice(8, -1))
  return builtIn !== undefined && hasSlot(builtIn, value) ? builtIn : undefined
}

function byPrototype(value: object): BuiltIn | undefined {
  let prototype: unknown = Object.getPrototypeOf(value)
  for (let depth = 0; prototype !== null && depth < LONGEST_CHAIN; depth++) {
    const builtIn = BY_PROTOTYPE.get(prototype)
    if (builtIn !== undefined) return builtIn
    prototype = Object.getPrototypeOf(prototype)
  }
  return undefined
}

function hasSlot({ checkSlot }: BuiltIn, value: object): boolean {
  try {
    checkSlot?.(value as never)
    return true
  } catch {
    return false
  }
}

function named(name: string, advice: string): BuiltIn {
  return { name, advice }
}

function box<Primitive>(
  name: string,
  read: (value: Primitive) => Primitive,
  convert: (value: Primitive) => Primitive = read,
): BuiltIn {
  return { name, advice: '', checkSlot: read, unbox: convert }
}

function getterOf(kind: { readonly prototype: object }, name: string): (value: object) => unknown {
  const get = Object.getOwnPropertyDescriptor(kind.prototype, name)?.get
  return (value) => get?.call(value)
}
