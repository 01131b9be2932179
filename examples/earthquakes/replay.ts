import { setTimeout as sleep } from 'node:timers/promises'
import type { Stream } from 'rivulet'
import type { Quake } from './quake.ts'

/** How the replay went. */
export interface Replay {
  readonly published: number
  /** Quakes of swarms that found the bucket full, and waited for room. */
  readonly waited: number
  /** How much later than due the last of the largest swarm was published. */
  readonly longestDelayMs: number
}

/**
 * Publishes every quake when it is due, in milliseconds from now; what comes faster than the limit waits its turn.
 */
export async function replay(
  stream: Stream<Quake>,
  quakes: readonly Quake[],
  dueMs: readonly number[],
  onPublished: (quake: Quake, published: number) => void,
  signal: AbortSignal,
): Promise<Replay> {
  const startMs = performance.now()
  let waited = 0
  let longestDelayMs = 0
  for (const [index, quake] of quakes.entries()) {
    const timeMs = startMs + (dueMs[index] ?? 0)
    await sleepUntil(timeMs, signal)
    if (stream.budget().retryAfterMs > 0) waited += 1
    await stream.publishWhenReady(quake, { signal })
    longestDelayMs = Math.max(longestDelayMs, performance.now() - timeMs)
    onPublished(quake, index + 1)
  }
  return { published: quakes.length, waited, longestDelayMs }
}

async function sleepUntil(timeMs: number, signal: AbortSignal): Promise<void> {
  const restMs = timeMs - performance.now()
  if (restMs > 0) await sleep(restMs, undefined, { signal })
}
