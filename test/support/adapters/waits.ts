import type { Topic } from 'rivulet'
import { RecordingHost } from 'rivulet/testing'

export const POSITIONS = 'rivulet/fleet/positions' as Topic
export const ALARMS = 'rivulet/fleet/alarms' as Topic

/** A host with short timeouts, so that a test of an adapter's own pings ends soon. */
export function shortHost(): RecordingHost {
  return new RecordingHost({ timeouts: { dialMs: 2_000, idleMs: 1_000 } })
}

/** Never aborts: the runner's own deadline bounds the wait. */
export const { signal: endless } = new AbortController()

/** Bounds a wait of a test without asserting how long it takes. */
export function within(ms = 20_000): AbortSignal {
  return AbortSignal.timeout(ms)
}

/** Gives what a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  try {
    await promise
  } catch (error) {
    return error as Error
  }
  throw new Error('The promise was expected to reject.')
}
