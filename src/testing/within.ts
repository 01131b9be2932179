import assert from 'node:assert'

/** The error of a condition that did not hold in time. */
class Overdue extends Error {}

/** Awaits a promise for at most `waitMs`; then rejects, naming the missing event. */
export async function within<T>(waitMs: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const overdue = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Overdue(`After ${waitMs} ms still waiting: ${what}.`)), waitMs)
  })
  try {
    return await Promise.race([promise, overdue])
  } finally {
    clearTimeout(timer)
  }
}

/** Waits until a promise under {@link within} settles, and fails when that takes too long. */
export async function settles(promise: Promise<unknown>): Promise<void> {
  await promise.catch((cause) => {
    if (cause instanceof Overdue) throw cause
  })
}

/** Fails unless a promise under {@link within} rejects by itself, and in time. */
export async function isRefused(what: string, promise: Promise<unknown>): Promise<void> {
  try {
    await promise
  } catch (cause) {
    if (cause instanceof Overdue) throw cause
    return
  }
  assert.fail(`It resolves, yet has to reject: ${what}.`)
}
