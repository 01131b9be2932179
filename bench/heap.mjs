import { setTimeout as delay } from 'node:timers/promises'

/** Counts the bytes of live objects. The process runs with `--expose-gc`. */
export async function liveBytes() {
  // Twice with a pause: the second run frees objects that a finalizer or a finished promise still referenced.
  globalThis.gc()
  await delay(5)
  globalThis.gc()
  return process.memoryUsage().heapUsed
}
