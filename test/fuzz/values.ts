import type { FuzzedDataProvider } from '@jazzer.js/core'

/** How deep values nest that come of chance alone. */
const MAX_LEVELS = 12
const KEYS = [
  'a',
  'b',
  'c',
  '10',
  '9',
  '01',
  '',
  '"',
  '\\',
  'é',
  '\ud800',
  '😀',
  '\u2028',
  'toString',
  'length',
]
const NUMBERS = [0, -0, 1, -1, 0.1, 1e21, 1e-7, 5e-324, 2 ** 53, -(2 ** 31), 1.7976931348623157e308]

/** Reads a string: chosen, of the bytes as UTF-8, or of any UTF-16 units. */
export function anyText(from: FuzzedDataProvider): string {
  const kind = from.consumeIntegralInRange(0, 5)
  if (kind < 3) return from.pickValue(KEYS)
  if (kind < 5) return from.consumeString(from.consumeIntegralInRange(0, 12))
  return String.fromCharCode(...from.consumeIntegrals(from.consumeIntegralInRange(0, 4), 2))
}

/** Reads a value that JSON gives back as it is, but for the sign of zero. */
export function jsonValue(from: FuzzedDataProvider, level = 0): unknown {
  const kind = from.remainingBytes === 0 ? 0 : from.consumeIntegralInRange(0, level < MAX_LEVELS ? 9 : 5)
  switch (kind) {
    case 0:
      return null
    case 1:
      return from.consumeBoolean()
    case 2:
      return from.pickValue(NUMBERS)
    case 3:
      return finite(from.consumeDouble())
    case 4:
      return from.consumeIntegral(4, true)
    case 5:
      return anyText(from)
    case 6:
    case 7:
      return manyOf(from, () => jsonValue(from, level + 1))
    default:
      return Object.fromEntries(
        manyOf(from, () => [ordinary(anyText(from)), jsonValue(from, level + 1)] as [string, unknown]),
      )
  }
}

/** Makes up to six of something. */
export function manyOf<Item>(from: FuzzedDataProvider, make: () => Item): Item[] {
  return Array.from({ length: from.consumeIntegralInRange(0, 6) }, make)
}

function ordinary(key: string): string {
  return key === '__proto__' ? 'proto' : key
}

function finite(value: number): number {
  return Number.isFinite(value) ? value : 0
}
