import { setImmediate as turn } from 'node:timers/promises'
import type { Capabilities, Transport } from 'rivulet'
import { Wire } from './counted-transport.ts'
import type { Plan, Step } from './plan.ts'
import { Site } from './site.ts'

/** What a scenario showed at each of its steps, hub by hub, and what the transport claimed. */
export interface Run {
  readonly shown: readonly object[]
  /** Without prefixes: what sids begin with is not shown. */
  readonly claims: Capabilities
}

export interface RunOptions {
  /** What to claim in place of what the transport claims itself. */
  readonly claims?: Capabilities
  /** How long to wait at the most. A frame that does not come by then is lost; anything else ends the run. */
  readonly patienceMs?: number
}

/** How far the clock moves for one of those who wait in line: at 100 messages a second a bit more than one goes out. */
const MOVE_MS = 11

/**
 * Runs a scenario over a transport, with a barrier after each step: every barrier is answered, every frame has come, and
 * nothing more was sent meanwhile. The hubs' clock stands still but for those who wait in line, so no time matters.
 */
export async function run(plan: Plan, connect: Connect, options: RunOptions = {}): Promise<Run> {
  const scene = new Scene(plan, connect, options)
  try {
    await scene.open()
    for (const step of plan.steps) if (!(await scene.take(step))) break
    await scene.close()
    scene.note()
    return { shown: scene.shown, claims: scene.claims }
  } catch (cause) {
    throw new Error(`Seed ${plan.seed} ends at step ${scene.shown.length + 1}: ${cause}; ${scene.standing}`, {
      cause,
    })
  } finally {
    await scene.close()
  }
}

type Connect = () => Transport | Promise<Transport>

/** The hubs of one run. */
class Scene {
  readonly shown: object[] = []
  claims!: Capabilities
  readonly #sites: readonly Site[]
  readonly #wire = new Wire()
  readonly #transports: Transport[] = []
  readonly #patienceMs: number
  #nowMs = 1_000

  constructor(plan: Plan, connect: Connect, { claims, patienceMs = 20_000 }: RunOptions) {
    this.#patienceMs = patienceMs
    const counted = async () => {
      const transport = this.#wire.count(await connect(), claims)
      this.#transports.push(transport)
      return transport
    }
    this.#sites = plan.hubs.map((_, place) => new Site(plan, place, counted, () => this.#nowMs))
  }

  /** How the hubs stand. */
  get standing(): string {
    return this.#sites.map(({ hub }) => `${hub.status} with ${hub.ledger().inFlight} in flight`).join(', ')
  }

  async open(): Promise<void> {
    await Promise.all(this.#sites.map((site) => site.open()))
    await this.#settled()
    const { prefixes: _, ...claims } = (this.#transports[0] as Transport).capabilities
    this.claims = claims
  }

  /** Does what a step says, and notes what is seen after it. Returns false when a frame is lost: nothing is determined then. */
  async take(step: Step): Promise<boolean> {
    if (step.act !== 'publishTogether') await (this.#sites[step.hub] as Site).do(step)
    else
      for (const [place, publishes] of step.publishes.entries())
        this.#sites[place]?.publish(step.stream, publishes)
    let goesOn = await this.#settled()
    for (const site of this.#sites) {
      while (goesOn && site.waiting(step.stream) > 0) {
        this.#nowMs += MOVE_MS
        await site.advanced(step.stream, AbortSignal.timeout(this.#patienceMs))
        goesOn = await this.#settled()
      }
      site.read()
    }
    await turn()
    this.note()
    return goesOn
  }

  async close(): Promise<void> {
    await Promise.all(this.#sites.map(({ hub }) => hub?.close()))
  }

  /** Notes what every hub shows. */
  note(): void {
    const lost = this.#wire.due.reduce((sum, due) => sum + due, 0)
    this.shown.push({ hubs: this.#sites.map((site) => site.look()), lost, surplus: this.#wire.surplus })
  }

  /** The barrier. Returns whether every frame has come. */
  async #settled(): Promise<boolean> {
    for (let sends = -1; sends !== this.#wire.sends; ) {
      sends = this.#wire.sends
      const patience = { signal: AbortSignal.timeout(this.#patienceMs) }
      await Promise.all(this.#sites.map(({ hub }) => hub.ready(patience).then(() => hub.flush(patience))))
      await this.#wire.arrived(this.#patienceMs)
      await turn() // promises of subscribers that reject
    }
    return this.#wire.due.every((due) => due === 0)
  }
}
