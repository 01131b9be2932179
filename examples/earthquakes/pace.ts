import type { Quake } from './quake.ts'

const BURST = 30
// Just over the average: a swarm of quakes has to wait its turn, and the week still ends in time.
const HEADROOM = 1.05
const SECOND_MS = 1000

/** How the week is compressed, and the limit of the stream that carries it. */
export interface Pace {
  readonly seconds: number
  /** When each quake is due, in milliseconds from the start of the replay. */
  readonly dueMs: readonly number[]
  readonly averagePerSecond: number
  /** The most quakes that are due within one second. */
  readonly peakPerSecond: number
  readonly limit: { readonly ratePerSecond: number; readonly burst: number }
}

/** Compresses the week into some seconds. */
export function paceOf(quakes: readonly Quake[], seconds: number): Pace {
  const times = quakes.map(({ properties }) => properties.time)
  const startMs = times[0] ?? 0
  const spanMs = (times.at(-1) ?? 0) - startMs
  const dueMs = times.map((timeMs) => ((timeMs - startMs) / spanMs) * seconds * SECOND_MS)
  const averagePerSecond = quakes.length / seconds
  return {
    seconds,
    dueMs,
    averagePerSecond,
    peakPerSecond: peakOf(dueMs),
    limit: { ratePerSecond: Math.ceil(averagePerSecond * HEADROOM), burst: BURST },
  }
}

function peakOf(dueMs: readonly number[]): number {
  let peak = 0
  let first = 0
  for (const [index, due] of dueMs.entries()) {
    while (due - (dueMs[first] ?? due) >= SECOND_MS) first += 1
    peak = Math.max(peak, index - first + 1)
  }
  return peak
}
