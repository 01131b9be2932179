/** A promise that is settled from outside. */
export interface Deferred<T = void> {
  readonly promise: Promise<T>
  resolve(value: T | PromiseLike<T>): void
  reject(reason: unknown): void
}

/** Makes a promise that is settled from outside; a rejection without a handler is not reported as unhandled. */
export function deferred<T = void>(): Deferred<T> {
  const made = {} as { -readonly [Name in keyof Deferred<T>]: Deferred<T>[Name] }
  made.promise = new Promise<T>((resolve, reject) => Object.assign(made, { resolve, reject }))
  made.promise.catch(() => {})
  return made
}
