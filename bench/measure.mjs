import Benchmark from 'benchmark'
import { median } from './median.mjs'

/**
 * A library or program that a case measures.
 * @typedef {object} Contender
 * @property {string} name
 * @property {'rivulet' | 'contract' | 'bare' | 'floor'} group its extent: the whole contract (Rivulet), the same by
 *   hand, less, or the least possible
 * @property {() => Run | Promise<Run>} open sets it up, and proves that it works before anything is timed
 *
 * @typedef {object} Run
 * @property {() => unknown} run one call; a promise when `isAsync`
 * @property {boolean} [isAsync]
 * @property {number} [operations] how many operations one call does; 1 unless given
 * @property {() => unknown} check throws unless every timed call had its effect
 * @property {() => unknown} close
 */

/** Returns the duration and the number of measurements. Seconds, as in `benchmark`. */
export function paceOf({ isQuick, rounds }) {
  return isQuick
    ? { rounds, warmUps: 0, minTime: 0.002, maxTime: 0.004, minSamples: 1, isQuick }
    : { rounds, warmUps: 1, minTime: 0.04, maxTime: 0.12, minSamples: 3, isQuick }
}

/**
 * Lets contenders take turns, in alternating order, so that a drift affects all of them. Returns the result of each
 * in each round after the warm-up.
 * @template {{ name: string, group: string }} T
 * @param {T[]} contenders
 * @param {{ rounds: number, warmUps: number }} pace
 * @param {(share: number) => unknown} onRound awaited after each round, with the share of finished rounds
 * @param {(contender: T) => unknown} measure
 */
export async function alternate(contenders, { rounds, warmUps }, onRound, measure) {
  const rows = contenders.map(({ name, group }) => ({ name, group, rounds: [] }))
  const there = [...contenders.keys()]
  const back = there.toReversed()
  for (let round = 0; round < warmUps + rounds; round++) {
    for (const index of round % 2 === 0 ? there : back) {
      const value = await measure(contenders[index])
      if (round >= warmUps) rows[index].rounds.push(value)
    }
    await onRound((round + 1) / (warmUps + rounds))
  }
  return rows
}

/**
 * Makes a case whose contenders are timed.
 * @param {{ name: string, parameters?: object, unit: string, contenders: Contender[], isSlow?: boolean }} description
 *   `isSlow`: a call of some contender takes seconds, so one sample a round is enough
 */
export function timedCase({ name, parameters = {}, unit, contenders, isSlow = false }) {
  return {
    ...{ name, parameters, unit: `ns ${unit}`, isLessBetter: true },
    measure: (pace, onRound) =>
      compare(contenders, isSlow ? { ...pace, maxTime: pace.minTime, minSamples: 1 } : pace, onRound),
  }
}

async function compare(contenders, pace, onRound) {
  const racers = []
  for (const { name, group, open } of contenders) {
    const run = await open()
    racers.push({ name, group, run, bench: benchmarkOf(name, run, pace) })
  }
  const rows = await alternate(racers, pace, onRound, timeOf)
  for (const { run } of racers) {
    await run.check()
    await run.close()
  }
  return rows
}

function benchmarkOf(name, { run, isAsync = false }, { minTime, maxTime, minSamples }) {
  const fn = isAsync ? deferring(run) : () => void run()
  return new Benchmark(name, fn, { defer: isAsync, minTime, maxTime, minSamples })
}

function deferring(run) {
  return (deferred) => {
    run().then(
      () => deferred.resolve(),
      (error) => {
        deferred.benchmark.error = error
        deferred.benchmark.abort()
      },
    )
  }
}

async function timeOf({ name, bench, run: { operations = 1, isAsync } }) {
  const finished = new Promise((resolve) => bench.on('complete', resolve))
  bench.run({ async: isAsync })
  await finished
  bench.off('complete')
  if (bench.error) throw new Error(`${name} failed while it was timed.`, { cause: bench.error })
  return (median(bench.stats.sample) * 1e9) / operations
}
