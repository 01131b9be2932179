/**
 * What a subscriber gets of a `T`: what `JSON.parse(JSON.stringify(value))` makes of it, read-only all the way
 * down. A `Date` becomes a string; functions, symbols and `undefined` vanish from objects and are `null` in arrays.
 */
export type Snapshot<T> = unknown extends T
  ? T
  : T extends { toJSON(...args: never[]): infer R }
    ? Snapshot<R>
    : T extends string | number | boolean | null
      ? T
      : T extends bigint | Unwritable
        ? never
        : T extends readonly unknown[]
          ? { readonly [K in keyof T]: SnapshotElement<T[K]> }
          : Flat<
              { readonly [K in keyof T as KeyOf<T, K, 'always'>]: Snapshot<T[K]> } & {
                readonly [K in keyof T as KeyOf<T, K, 'sometimes'>]?: Snapshot<Exclude<T[K], Unwritable>>
              }
            >

type Unwritable = undefined | symbol | ((...args: never[]) => unknown)
type KeyOf<T, K extends keyof T, When extends 'always' | 'sometimes'> = K extends symbol
  ? never
  : T[K] extends Unwritable
    ? never
    : When extends ([Extract<T[K], Unwritable>] extends [never] ? 'always' : 'sometimes')
      ? K
      : never
type Flat<T> = { [K in keyof T]: T[K] }
type SnapshotElement<E> =
  | Snapshot<Exclude<E, Unwritable>>
  | (Extract<E, Unwritable> extends never ? never : null)
