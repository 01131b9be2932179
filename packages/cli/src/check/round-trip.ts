import { createHistogram } from 'node:perf_hooks'
import { ok, type Point, warning } from './point.ts'
import type { Probe } from './probe.ts'

const BARRIERS = 50
const WARM_UP = 5
const NS_PER_MS = 1e6
/** A hub takes a connection for lost after two barriers of two seconds. */
const SLOW_MS = 1000

/** Measures how long the broker takes to answer a barrier. */
export async function roundTripPoint(probe: Probe): Promise<Point> {
  const histogram = createHistogram()
  for (let barrier = -WARM_UP; barrier < BARRIERS; barrier++) {
    const startMs = performance.now()
    await probe.transport.flush(probe.step())
    const ns = Math.round((performance.now() - startMs) * NS_PER_MS)
    if (barrier >= 0) histogram.record(Math.max(1, ns))
  }
  const ms = (ns: number) => `${(ns / NS_PER_MS).toFixed(2)} ms`
  const { min, max } = histogram
  const [half, most] = [histogram.percentile(50), histogram.percentile(99)]
  const text = `shortest ${ms(min)}, p50 ${ms(half)}, p99 ${ms(most)}, longest ${ms(max)}, of ${BARRIERS} barriers`
  if (max / NS_PER_MS < SLOW_MS) return ok('round trip', text)
  return warning(
    'round trip',
    text,
    'A hub waits 2 s for a barrier; look at the network and the load of the broker.',
  )
}
