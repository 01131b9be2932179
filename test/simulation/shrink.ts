import type { Plan, Step } from './plan.ts'
import { type Outcome, simulate } from './simulation.ts'

const MOST_RUNS = 300

/** A plan that still breaks the same law, and how that went. */
export interface Shrunk {
  readonly plan: Plan
  readonly outcome: Outcome
  /** How many steps of the original plan come before the law breaks: the shortest failing prefix. */
  readonly prefix: number
}

/**
 * Finds the shortest prefix of a plan that breaks the law that the plan breaks, and then leaves out of it what is not
 * needed. Steps stand on their own, so those that are left do the same as before.
 */
export async function shrink(plan: Plan): Promise<Shrunk | undefined> {
  const shrinking = new Shrinking(plan)
  if (!(await shrinking.fails(plan.steps))) return undefined
  await shrinking.cutEnd()
  const prefix = shrinking.best.plan.steps.length
  await shrinking.dropParts()
  const best = shrinking.best
  const outcome = await simulate(best.plan, true)
  return { plan: best.plan, outcome, prefix }
}

class Shrinking {
  best: { plan: Plan; outcome: Outcome }
  readonly #plan: Plan
  #law: string | undefined
  #runs = 0

  constructor(plan: Plan) {
    this.#plan = plan
    this.best = { plan, outcome: undefined as unknown as Outcome }
  }

  /** Tells whether these steps break the law, and keeps them if so. */
  async fails(steps: readonly Step[]): Promise<boolean> {
    if (this.#runs++ > MOST_RUNS) return false
    const lastMs = steps.at(-1)?.atMs ?? 0
    // Faults that have begun go on for as long as in the original, unless the end is near.
    const plan = { ...this.#plan, steps, durationMs: Math.min(this.#plan.durationMs, lastMs + 60_000) }
    const outcome = await simulate(plan)
    this.#law ??= outcome.failure?.law
    if (outcome.failure === undefined || outcome.failure.law !== this.#law) return false
    this.best = { plan, outcome }
    return true
  }

  /** Halves the distance to the shortest prefix that fails. */
  async cutEnd(): Promise<void> {
    const { steps } = this.#plan
    const failedMs = this.best.outcome.failure?.atMs ?? 0
    let most = steps.filter(({ atMs }) => atMs <= failedMs).length
    if (!(await this.fails(steps.slice(0, most)))) most = steps.length
    for (let least = 0; least < most; ) {
      const middle = (least + most) >> 1
      if (await this.fails(steps.slice(0, middle))) most = middle
      else least = middle + 1
    }
  }

  /** Leaves out halves, quarters and so on, down to single steps. */
  async dropParts(): Promise<void> {
    for (let size = this.best.plan.steps.length >> 1; size >= 1; size >>= 1) {
      for (let from = 0; from < this.best.plan.steps.length; ) {
        const { steps } = this.best.plan
        if (!(await this.fails([...steps.slice(0, from), ...steps.slice(from + size)]))) from += size
      }
    }
  }
}
