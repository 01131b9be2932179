import vm from 'node:vm'
import fc from 'fast-check'

/** Any string: control characters, quotes, emoji and lone surrogates come often. */
export const anyString = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.array(fc.nat(0xffff), { maxLength: 8 }).map((units) => String.fromCharCode(...units)),
  fc
    .array(
      fc.constantFrom('a', '"', '\\', '\n', '\u0001', '\u007f', 'é', '€', '😀', '\ud800', '\udfff', '\u2028'),
    )
    .map((parts) => parts.join('')),
)

const keys = fc.oneof(
  anyString.filter((key) => key !== '__proto__'),
  fc.constantFrom('a', 'b', '0', '10', '2', '-1', 'constructor', 'toString', 'valueOf', 'length', 'é'),
)

const jsonLeaf = fc.oneof(
  anyString,
  fc.boolean(),
  fc.constant(null),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(-0, 5e-324, -2.2250738585072014e-308, -0.0000012345678901234567, 1e21, 2 ** 53),
)

/** Objects that `JSON.stringify` and `JSON.parse` give back as they are, but for the sign of zero. */
export const jsonRecord: fc.Arbitrary<Record<string, unknown>> = fc.letrec<{
  value: unknown
  record: Record<string, unknown>
}>((tie) => ({
  value: fc.oneof({ depthSize: 'small' }, jsonLeaf, fc.array(tie('value'), { maxLength: 5 }), tie('record')),
  record: fc.dictionary(
    keys.filter((key) => key !== 'constructor'),
    tie('value'),
    { maxKeys: 6 },
  ),
})).record

class Instance {
  readonly #hidden = 1
  readonly [Symbol.toStringTag] = 'Number'
  constructor(members: object) {
    Object.assign(this, members)
  }
  get inherited() {
    return this.#hidden
  }
}

const elsewhere = vm.runInNewContext(
  '({ record: (entries) => Object.fromEntries(entries), list: (items) => [...items], box: (value) => Object(value) })',
) as {
  record(entries: [string, unknown][]): object
  list(items: unknown[]): unknown[]
  box(value: unknown): object
}

const oddLeaf = fc.oneof(
  fc.constantFrom<unknown>(undefined, () => 1, Symbol('leaf'), Number.NaN, Infinity, -Infinity),
  fc.date({ noInvalidDate: false }),
  jsonLeaf.filter((value) => value !== null).map((value) => Object(value) as object),
  jsonLeaf.filter((value) => value !== null).map((value) => elsewhere.box(value)),
  fc.uint8Array({ maxLength: 4 }).map((bytes) => Buffer.from(bytes)),
  fc.array(fc.tuple(fc.nat(6), fc.nat()), { maxLength: 3 }).map(sparse),
  jsonLeaf.map((value) => ({ toJSON: () => value })),
  jsonLeaf.map((value) => Object.assign(() => {}, { toJSON: () => value })),
  fc.constantFrom(undefined, Symbol('json'), () => 1).map((value) => ({ toJSON: () => value })),
  fc.constant({ toJSON: (key: unknown) => ({ key, kind: typeof key }) }),
)

const RECORDS: Record<string, (entries: [string, unknown][]) => object> = {
  plain: (entries) => Object.fromEntries(entries),
  bare: (entries) => Object.assign(Object.create(null), Object.fromEntries(entries)),
  instance: (entries) => new Instance(Object.fromEntries(entries)),
  elsewhere: (entries) => elsewhere.record(entries),
  proxy: (entries) => new Proxy(Object.fromEntries(entries), {}),
  accessors: (entries) =>
    entries.reduce(
      (record, [key, value]) =>
        Object.defineProperty(record, key, { get: () => value, enumerable: true, configurable: true }),
      {},
    ),
  hidden: (entries) =>
    entries.reduce(
      (record, [key, value], index) =>
        Object.defineProperty(record, key, { value, enumerable: index % 2 === 0, configurable: true }),
      {},
    ),
  symbols: (entries) => ({ ...Object.fromEntries(entries), [Symbol('key')]: 1 }),
  replaced: (entries) => ({ toJSON: () => Object.fromEntries(entries) }),
}

/**
 * Objects that JSON leaves out parts of, or replaces: everything but cycles, BigInts, throws, and the built-ins
 * and keys that are refused. Reading one twice gives the same.
 */
export const nearlyJson: fc.Arbitrary<object> = fc.letrec<{ value: unknown; record: object; list: unknown }>(
  (tie) => ({
    value: fc.oneof({ depthSize: 'small' }, jsonLeaf, oddLeaf, tie('list'), tie('record')),
    list: fc.oneof(
      fc.array(tie('value'), { maxLength: 5 }),
      fc.array(tie('value'), { maxLength: 4 }).map((items) => elsewhere.list(items)),
      fc.array(tie('value'), { maxLength: 4 }).map((items) => new Proxy(items, {})),
    ),
    record: fc
      .tuple(
        fc.array(fc.tuple(keys, tie('value')), { maxLength: 6 }),
        fc.constantFrom(...Object.values(RECORDS)),
      )
      .map(([entries, make]) => make(entries)),
  }),
).record as fc.Arbitrary<object>

function sparse(entries: [number, number][]): unknown[] {
  const list: unknown[] = []
  for (const [index, value] of entries) list[index] = value
  return list
}
