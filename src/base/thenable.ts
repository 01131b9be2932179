/** Returns whether a value is a promise or like one, of any realm. False when a getter named `then` throws. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  let then: unknown
  try {
    then = (value as { then?: unknown } | null | undefined)?.then
  } catch {}
  return typeof then === 'function'
}
