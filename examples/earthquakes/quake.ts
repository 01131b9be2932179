import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

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
}

/** Reads the recorded week, in order of time. */
export async function readQuakes(): Promise<Quake[]> {
  const text = await readFile(join(import.meta.dirname, 'earthquakes.ndjson'), 'utf8')
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Quake)
}

/** Says when a quake happened: `Feb 6 15:50`. */
export function whenOf({ properties }: Quake): string {
  const at = new Date(properties.time)
  const time = at.toISOString().slice(11, 16)
  return `${dayOf(properties.time)} ${time}`
}

/** Says the day of a time, in UTC: `Feb 6`. */
export function dayOf(timeMs: number): string {
  return new Date(timeMs).toLocaleDateString('en-US', { month: 'short', day: 'numeric', timeZone: 'UTC' })
}
