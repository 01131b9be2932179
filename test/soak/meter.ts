import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Crowd } from './crowd.ts'

/** What the hubs' process holds, and how late its timers are. */
export interface Sample {
  readonly heapBytes: number
  readonly rssBytes: number
  /** Sockets and timers, by kind. */
  readonly handles: Readonly<Record<string, number>>
  /** Since the sample before: what the median timer and the latest of 100 and of all were late by, in ms. */
  readonly delayMs: { readonly p50: number; readonly p99: number; readonly max: number }
  readonly published: number
  readonly heard: number
  readonly joins: number
}

const RESOLUTION_MS = 10
const NS_A_MS = 1e6

/** Measures this process, which runs with `--expose-gc`. */
export class Meter {
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })

  /** Collects garbage and measures. The time which that takes is not counted as a delay. */
  sample({ published, joins, sites }: Crowd): Sample {
    const { max } = this.#delay
    const late = (ns: number) => Math.max(0, ns / NS_A_MS - RESOLUTION_MS)
    const [p50, p99] = [50, 99].map((percent) => late(this.#delay.percentile(percent))) as [number, number]
    this.#delay.disable()
    globalThis.gc?.()
    const { heapUsed: heapBytes, rss: rssBytes } = process.memoryUsage()
    const heard = sites.reduce((sum, site) => sum + site.heard, 0)
    this.#delay.reset()
    this.#delay.enable()
    const delayMs = { p50, p99, max: late(max) }
    return { heapBytes, rssBytes, handles: countHandles(), delayMs, published, heard, joins }
  }

  stop(): void {
    this.#delay.disable()
  }
}

/** Counts what keeps this process alive: sockets, timers and the like. */
export function countHandles(): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}
