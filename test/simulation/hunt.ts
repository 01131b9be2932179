import { addUp } from './ledger-laws.ts'
import { drawPlan } from './plan.ts'
import { simulate } from './simulation.ts'

/** What came of many seeds. */
export interface Hunt {
  readonly seeds: number
  readonly virtualMs: number
  /** The sum of the ledgers of all hubs. */
  readonly reached: ReadonlyMap<string, number>
  /** Those that break a law, with the law. */
  readonly failures: readonly FailedSeed[]
}

/** A seed that breaks a law. */
export interface FailedSeed {
  readonly seed: number
  readonly law: string
  readonly text: string
}

/** When a hunt ends before its last seed. */
export interface HuntOptions {
  /** Told after each seed, or each few, how many there were and how much virtual time. */
  readonly progressed?: (seeds: number, virtualMs: number) => void
  readonly signal?: AbortSignal
  /** So many failures are enough. */
  readonly mostFailures?: number
}

/** Runs seeds one after the other. */
export async function hunt(first: number, count: number, options: HuntOptions = {}): Promise<Hunt> {
  const { progressed, signal, mostFailures = 10 } = options
  const failures: FailedSeed[] = []
  const reached = new Map<string, number>()
  let virtualMs = 0
  let seeds = 0
  while (seeds < count && failures.length < mostFailures && !signal?.aborted) {
    const seed = first + seeds
    const outcome = await simulate(drawPlan(seed))
    virtualMs += outcome.virtualMs
    addUp(reached, Object.fromEntries(outcome.reached))
    if (outcome.failure !== undefined) failures.push({ seed, ...outcome.failure })
    seeds++
    progressed?.(seeds, virtualMs)
  }
  return { seeds, virtualMs, reached, failures }
}
