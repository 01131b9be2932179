import { setTimeout as delay } from 'node:timers/promises'

const DEADLINE_MS = 60_000
const POLL_MS = 20

/** Reads until the value is right, and gives it. Rejects, with the last value, when that takes a minute. */
export async function eventually<Value>(
  what: string,
  read: () => Value | Promise<Value>,
  isRight: (value: Value) => boolean,
): Promise<Value> {
  const deadlineMs = performance.now() + DEADLINE_MS
  for (;;) {
    const value = await read()
    if (isRight(value)) return value
    if (performance.now() > deadlineMs) throw new Error(`Not so yet: ${what}; last ${JSON.stringify(value)}`)
    await delay(POLL_MS)
  }
}
