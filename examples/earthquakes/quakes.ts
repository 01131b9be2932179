// The data: a week of earthquakes, and how it is published in a few seconds.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Stream } from 'rivulet'

/** One earthquake, as the feed gives it; only what the demo reads is declared. */
export interface Quake {
  readonly id: string
  readonly properties: {
    readonly mag: number
    readonly place: string
    /** When it happened, in milliseconds since 1970. */
    readonly time: number
    /** The seismic network that reported it. */
    readonly net: string
  }
  /** Longitude, latitude, and depth in kilometres. */
  readonly geometry: { readonly coordinates: readonly number[] }
}

/** Reads the recorded week, in order of time. */
export async function readQuakes(): Promise<Quake[]> {
  const text = await readFile(join(import.meta.dirname, 'earthquakes.ndjson'), 'utf8')
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
}

/** How the replay went. */
export interface Replay {
  readonly published: number
  /** Quakes that found no room in the limit and waited for it. */
  readonly waited: number
  /** How much later than due the most delayed quake was published. */
  readonly longestDelayMs: number
}

/** Publishes the week in `seconds`, each quake when it is due. What exceeds the stream's limit waits its turn. */
export async function replay(
  stream: Stream<Quake>,
  quakes: readonly Quake[],
  seconds: number,
  signal: AbortSignal,
): Promise<Replay> {
  const times = quakes.map(({ properties }) => properties.time)
  const firstMs = times[0] ?? 0
  const scale = (seconds * 1000) / ((times.at(-1) ?? 0) - firstMs)
  const startMs = performance.now()
  let waited = 0
  let longestDelayMs = 0
  for (const quake of quakes) {
    const dueMs = startMs + (quake.properties.time - firstMs) * scale
    const restMs = dueMs - performance.now()
    if (restMs > 0) await sleep(restMs, undefined, { signal })
    if (stream.budget().retryAfterMs > 0) waited += 1
    await stream.publishWhenReady(quake, { signal })
    longestDelayMs = Math.max(longestDelayMs, performance.now() - dueMs)
  }
  return { published: quakes.length, waited, longestDelayMs }
}

/** Says when a quake happened, in UTC: `Feb 6 15:50`. */
export function whenOf({ properties }: Quake): string {
  const at = new Date(properties.time)
  const day = at.toLocaleDateString('en-US', { month: 'short', day: 'numeric', timeZone: 'UTC' })
  return `${day} ${at.toISOString().slice(11, 16)}`
}
