/**
 * Data whose JSON is an object: the type of a stream that is opened without one, and the bound of a given type. Refuses
 * at compile time the data that is refused at run time: arrays, `Date`, promises, `Map`, `Set` and other built-ins of
 * which JSON keeps nothing. An `Error` has the same type as an object with a name and a message.
 */
export type MessageData = Record<string, unknown> | (object & NoBuiltIn)

interface NoBuiltIn {
  readonly [Symbol.iterator]?: never
  readonly [Symbol.toStringTag]?: never
  readonly [Symbol.match]?: never
  /** Functions and classes have it. */
  readonly [Symbol.hasInstance]?: never
  readonly then?: never
  /** A `Blob` has it. */
  readonly arrayBuffer?: never
  toJSON?(...args: never[]): object
}

/**
 * The type that a subscriber receives for a `T`: the result of `JSON.parse(JSON.stringify(value))`, read-only all the way
 * down. A `Date` becomes a string; functions, symbols and `undefined` vanish from objects and are `null` in arrays.
 */
export type Snapshot<T> = unknown extends T
  ? T
  : T extends { toJSON(...args: never[]): infer R }
    ? Written<R>
    : Written<T>

/**
 * The snapshot of the result of `toJSON`: JSON does not call a second one on it. Arrays are written `readonly E[]`,
 * whose elements the compiler resolves when they are used, so that a type may refer to itself through them. It resolves
 * those of a tuple at once: a type that refers to itself through tuples alone is too deep (TS2589).
 */
type Written<T> = unknown extends T
  ? T
  : T extends string | number | boolean | null
    ? T
    : T extends bigint | Unwritable
      ? never
      : T extends readonly unknown[]
        ? T[number][] extends T
          ? readonly SnapshotElement<T[number]>[]
          : { readonly [K in keyof T]: SnapshotElement<T[K]> }
        : T extends { readonly [Symbol.toStringTag]: string } | RegExp
          ? never
          : { readonly [K in keyof T as KeyOf<T, K, 'always'>]: Snapshot<T[K]> } & {
                readonly [K in keyof T as KeyOf<T, K, 'sometimes'>]?: Snapshot<Exclude<T[K], Unwritable>>
              } extends infer Members
            ? { [K in keyof Members]: Members[K] }
            : never

type Unwritable = undefined | symbol | ((...args: never[]) => unknown)
type KeyOf<T, K extends keyof T, When extends 'always' | 'sometimes'> = K extends symbol
  ? never
  : T[K] extends Unwritable
    ? never
    : When extends ([Extract<T[K], Unwritable>] extends [never] ? 'always' : 'sometimes')
      ? K
      : never
type SnapshotElement<E> =
  | Snapshot<Exclude<E, Unwritable>>
  | (Extract<E, Unwritable> extends never ? never : null)
