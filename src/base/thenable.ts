/** Tells whether a value is a promise or like one, of any realm. A getter named `then` that throws is none. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  let then: unknown
  try {
    then = (value as { then?: unknown } | null | undefined)?.then
  } catch {}
  return typeof then === 'function'
}
