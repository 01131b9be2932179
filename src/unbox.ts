/**
 * Returns the primitive inside a `Number`, `String`, `Boolean` or `BigInt` object of any realm, else the source.
 * One that hides its kind by a `Symbol.toStringTag` of its own is taken for an ordinary object.
 */
export function unbox(source: object): unknown {
  switch (Object.prototype.toString.call(source)) {
    case '[object Number]':
      return hasSlot(Number.prototype.valueOf, source) ? +(source as unknown as number) : source
    case '[object String]':
      return hasSlot(String.prototype.valueOf, source) ? String(source) : source
    case '[object Boolean]':
      return hasSlot(Boolean.prototype.valueOf, source) ? Boolean.prototype.valueOf.call(source) : source
    case '[object BigInt]':
      return hasSlot(BigInt.prototype.valueOf, source) ? BigInt.prototype.valueOf.call(source) : source
    default:
      return source
  }
}

/** The built-in `valueOf` throws on an object that only claims the type by its `Symbol.toStringTag`. */
function hasSlot(read: () => unknown, source: object): boolean {
  try {
    read.call(source)
    return true
  } catch {
    return false
  }
}
