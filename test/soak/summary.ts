import { handlesOf, type Line } from './slopes.ts'
import type { SoakResult } from './soak.ts'

const BYTES_A_MEGABYTE = 1e6

/** Says in a few lines what a soak did and found. */
export function summarize(result: SoakResult): string {
  const { settings, durationMs, broken, outages, censuses, samples, slopes, ledger } = result
  const { broker, hubs, streams, seed } = settings
  const last = samples.at(-1)
  const kinds = new Map<string, number>()
  for (const { kind } of outages) kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
  const slowestMs = Math.max(0, ...censuses.map(({ healedAfterMs }) => healedAfterMs))
  return [
    `${broker}: ${(durationMs / 60_000).toFixed(1)} minutes, ${hubs} hubs, ${streams} streams, seed ${seed}`,
    `  ${last?.published ?? 0} publishes, ${last?.heard ?? 0} messages heard by other hubs, ${last?.joins ?? 0} joins`,
    `  ${outages.length} faults: ${[...kinds].map(([kind, count]) => `${count} ${kind}`).join(', ')}`,
    `  healed each time, after ${(slowestMs / 1_000).toFixed(1)} s at most; ${sumOfArrived(result)} messages after it all arrived`,
    `  ledgers: ${countsOf(ledger)}`,
    ...(last === undefined || slopes === undefined
      ? ['  slopes: too few samples after the warm-up']
      : [
          `  slopes over ${slopes.samples} samples in ${slopes.minutes.toFixed(1)} minutes with ${slopes.joins} joins:`,
          `    heap ${shown(slopes.heapBytes, 1e3)} kB a minute, ${(last.heapBytes / BYTES_A_MEGABYTE).toFixed(1)} MB at the end`,
          `    handles ${shown(slopes.handles)} a minute, ${handlesOf(last)} at the end`,
          `    delay of 99 timers in 100 ${shown(slopes.delayP99Ms)} ms a minute, ${last.delayMs.p99.toFixed(1)} ms at the end`,
        ]),
    ...broken.map(({ law, text }) => `  BROKEN: ${law}: ${text}`),
    broken.length === 0 ? '  No law is broken.' : `  ${broken.length} times a law is broken.`,
  ].join('\n')
}

function sumOfArrived({ censuses }: SoakResult): number {
  return censuses.reduce((sum, { arrived }) => sum + arrived, 0)
}

function countsOf(ledger: SoakResult['ledger']): string {
  const named = Object.entries(ledger).filter(([, count]) => count > 0)
  return named.map(([name, count]) => `${name} ${count}`).join(', ')
}

function shown({ slope, error }: Line, unit = 1): string {
  return `${(slope / unit).toFixed(1)} ± ${(error / unit).toFixed(1)}`
}
