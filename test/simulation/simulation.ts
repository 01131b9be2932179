import { config } from 'rxjs'
import { checkBounds } from './bounds.ts'
import { Chance } from './chance.ts'
import type { Entry } from './event-log.ts'
import { healAll, inflict } from './faults.ts'
import { findWhatStaysBroken } from './healing.ts'
import { Intruder } from './intruder.ts'
import { checkLedgers, checkStreams } from './ledger-laws.ts'
import { Network } from './network.ts'
import { hasIntruders, isOrdered, type Plan, type Step } from './plan.ts'
import { Site } from './site.ts'
import type { Owner } from './virtual-time.ts'
import { work } from './workload.ts'
import { type Failure, World } from './world.ts'

/** How a simulation went. */
export interface Outcome {
  /** The first law that was broken. */
  readonly failure: Failure | undefined
  /** Of everything that happened, in its order. */
  readonly hash: string
  readonly events: number
  readonly virtualMs: number
  /** The last of what happened, when it was asked for. */
  readonly entries: readonly Entry[]
  readonly sites: number
  /** The sum of the ledgers of all hubs. */
  readonly reached: ReadonlyMap<string, number>
}

/** Runs a plan, until it is over or a law is broken. */
export async function simulate(plan: Plan, keepsLog = false): Promise<Outcome> {
  const simulation = new Simulation(plan, keepsLog)
  const rejected = (reason: unknown) => simulation.world.fail('no unhandled rejection', -1, String(reason))
  const { onUnhandledError } = config
  config.onUnhandledError = () => {}
  process.on('unhandledRejection', rejected)
  try {
    await simulation.run()
  } finally {
    process.off('unhandledRejection', rejected)
    config.onUnhandledError = onUnhandledError
  }
  const { failure, log, time, reached } = simulation.world
  const { hash, count: events, entries } = log
  return { failure, hash, events, entries, reached, virtualMs: time.nowMs, sites: simulation.sites.length }
}

class Simulation {
  readonly world: World
  readonly sites: readonly Site[]
  readonly #plan: Plan
  readonly #network: Network
  readonly #intruder: Intruder
  readonly #byMachine = new Map<Owner, Site>()

  constructor(plan: Plan, keepsLog: boolean) {
    this.#plan = plan
    this.world = new World(plan.seed, keepsLog)
    this.#network = new Network(this.world, plan.bus, plan.maxInFlightBytes)
    const { streams } = plan
    this.sites = plan.latenciesMs.map((latencyMs, site) => {
      const acceptsRemoval = plan.acceptsRemoval[site] as boolean
      const claims = { isOrdered: isOrdered(plan), hasIntruders: hasIntruders(plan) }
      return new Site(this.#network, { site, latencyMs, acceptsRemoval, streams, ...claims })
    })
    this.#intruder = new Intruder(this.#network)
  }

  async run(): Promise<void> {
    const { steps, durationMs } = this.#plan
    for (const step of steps) this.world.time.at(step.atMs, () => this.#take(step))
    await this.pass(durationMs)
    if (this.world.failure !== undefined) return
    healAll(this.#network, this.sites)
    await findWhatStaysBroken(this.#network, this.sites, (ms) => this.pass(ms))
    if (this.world.failure === undefined) this.#network.checkCounts()
  }

  /** Lets time pass; ends at once when a law is broken. */
  async pass(ms: number): Promise<void> {
    const { time } = this.world
    const isOver = () => this.world.failure !== undefined
    if (!isOver()) await time.runUntil(time.nowMs + ms, (owner) => this.#checkAfter(owner), isOver)
  }

  #take({ site: number, what, seed }: Step): void {
    const site = this.sites[number] as Site
    const chance = new Chance(seed)
    if ('verb' in what) return work(what.verb, site, chance, this.#plan.faults.has('busyLoop'))
    const [network, intruder] = [this.#network, this.#intruder]
    inflict(what.fault, { network, sites: this.sites, site, chance, intruder })
  }

  /** Something ran in a hub's process: its laws hold. */
  #checkAfter(owner: Owner | undefined): void {
    if (owner === undefined) return
    const life = this.#lifeOf(owner)
    if (life === undefined) return
    checkLedgers(life)
    checkStreams(life)
    checkBounds(life)
  }

  #lifeOf(owner: Owner): Site['life'] | undefined {
    const known = this.#byMachine.get(owner)
    if (known?.life.machine === owner) return known.life
    const site = this.sites.find(({ life }) => life.machine === owner)
    if (site !== undefined) this.#byMachine.set(owner, site)
    return site?.life
  }
}
