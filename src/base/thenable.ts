/** Tells whether a value is a promise or like one, of any realm. A getter named `then` that throws is none. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  try {
    return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
  } catch {
    return false
  }
}
