import { createHistogram } from 'node:perf_hooks'
import type { Probe } from './probe.ts'
import { type CheckResult, ok, warning } from './result.ts'

const BARRIERS = 50
const WARM_UP = 5
const NS_PER_MS = 1e6
/** A hub considers a connection lost after two barriers of two seconds. */
const SLOW_MS = 1000

/** Measures the time that the broker takes to answer a barrier. */
export async function roundTripResult(probe: Probe): Promise<CheckResult> {
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
