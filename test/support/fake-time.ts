import { afterEach, beforeEach, vi } from 'vitest'

/** Stops the clock and the timers in every test of the file; `pass` moves them. */
export function stopTime(): void {
  beforeEach(() => void holdTime())
  afterEach(() => void vi.useRealTimers())
}

/** Stops the clock and the timers from now on. */
export function holdTime(): void {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
  })
}

/** Lets every promise and microtask that is due run. */
export function tick(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Lets milliseconds pass on the stopped clock, promises included, in steps of at most `stepMs`. */
export async function pass(ms: number, stepMs = 20): Promise<void> {
  await tick()
  for (let leftMs = ms; leftMs > 0; leftMs -= stepMs) {
    vi.advanceTimersByTime(Math.min(stepMs, leftMs))
    await tick()
  }
}

/** Lets time pass until a promise has settled, and gives what it gives. */
export async function passUntil<T>(promise: Promise<T>, stepMs = 20): Promise<T> {
  let isSettled = false
  const settle = () => {
    isSettled = true
  }
  promise.then(settle, settle)
  await tick()
  while (!isSettled) await pass(stepMs, stepMs)
  return promise
}
