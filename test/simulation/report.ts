import { drawDiagram } from './diagram.ts'
import { drawPlan, type Plan, type Step } from './plan.ts'
import { shrink } from './shrink.ts'
import { simulate } from './simulation.ts'

const LAST_ENTRIES = 80

/** Says what a seed breaks: the law, the shortest failing prefix, what is needed of it, and the log as a diagram. */
export async function explain(seed: number): Promise<string> {
  const whole = drawPlan(seed)
  const shrunk = await shrink(whole)
  if (shrunk === undefined) return `Seed ${seed} breaks no law.`
  const { plan, outcome, prefix } = shrunk
  const { failure, entries, sites } = outcome
  return [
    `Seed ${seed} breaks the law "${failure?.law}" after ${inSeconds(failure?.atMs)}.`,
    `  ${failure?.text}`,
    `The first ${prefix} of its ${whole.steps.length} steps are enough; of those, these ${plan.steps.length}:`,
    ...plan.steps.map(drawStep),
    '',
    drawDiagram(entries.slice(-LAST_ENTRIES), sites),
    '',
    `Again: npm run simulate -- --seed ${seed} --trace`,
  ].join('\n')
}

/** Runs one seed and shows its whole log, or the last few thousand lines of it. */
export async function trace(seed: number): Promise<string> {
  const plan = drawPlan(seed)
  const { entries, sites, failure, hash, virtualMs } = await simulate(plan, true)
  return [
    `Seed ${seed}: ${sites} hubs, ${plan.steps.length} steps; ${drawSetup(plan)}`,
    drawDiagram(entries, sites),
    `${inSeconds(virtualMs)} of virtual time, hash ${hash}`,
    failure === undefined ? 'No law is broken.' : `Broken: ${failure.law}: ${failure.text}`,
  ].join('\n')
}

function drawSetup({ faults, streams, bus }: Plan): string {
  const kinds = faults.size === 0 ? 'nothing goes wrong' : `may suffer ${[...faults].join(', ')}`
  return `${kinds}\nbus ${JSON.stringify(bus)}\nstreams ${JSON.stringify([...streams])}`
}

function drawStep({ atMs, site, what }: Step): string {
  const text = 'verb' in what ? what.verb : `suffers ${what.fault}`
  return `${inSeconds(atMs).padStart(12)}  hub ${site} ${text}`
}

function inSeconds(ms = 0): string {
  return `${(ms / 1_000).toFixed(3)} s`
}
