// The data: a week of earthquakes, published in a few seconds.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Stream } from 'rivulet'

/** One earthquake of the feed; declares only the members that the demo reads. */
export interface Quake {
  readonly id: string
  readonly properties: {
    readonly mag: number
    readonly place: string
    /** Its time, in milliseconds since 1970. */
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

/** The result of the replay. */
export interface Replay {
  readonly published: number
  /** The number of quakes that waited for capacity of the limit. */
  readonly waited: number
  /** The greatest delay of a quake after its due time. */
  readonly longestDelayMs: number
}

/** Publishes the week in `seconds`, each quake when it is due. Quakes above the stream's limit are queued. */
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

/** Formats the time of a quake, in UTC: `Feb 6 15:50`. */
export function whenOf({ properties }: Quake): string {
  const at = new Date(properties.time)
  const day = at.toLocaleDateString('en-US', { month: 'short', day: 'numeric', timeZone: 'UTC' })
  return `${day} ${at.toISOString().slice(11, 16)}`
}
