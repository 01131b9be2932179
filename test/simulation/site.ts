import { Chance } from './chance.ts'
import { Life, type LifeSetup } from './life.ts'
import type { Network } from './network.ts'

/** A place where a hub lives, dies, and comes again. */
export class Site {
  readonly number: number
  life: Life
  readonly #network: Network
  readonly #setup: Omit<LifeSetup, 'seed'>
  readonly #seeds: Chance

  constructor(network: Network, setup: Omit<LifeSetup, 'seed'>) {
    this.number = setup.site
    this.#network = network
    this.#setup = setup
    this.#seeds = new Chance(network.world.seed, setup.site)
    this.life = this.#begin()
  }

  /** Starts a hub in place of one that is gone. */
  start(): void {
    if (!this.life.machine.isDead) return
    this.life = this.#begin()
    this.life.note('starts')
  }

  /** Closes the hub, and starts another a while later. */
  async restart(afterMs: number): Promise<void> {
    await this.life.close()
    const { time } = this.#network.world
    time.at(time.nowMs + afterMs, () => this.start())
  }

  /** Does something in the hub's process, when its event loop is free. */
  act(action: (life: Life) => void): void {
    const { life } = this
    const { time } = this.#network.world
    if (!life.isClosing) time.at(time.nowMs, () => life.isClosing || action(life), life.machine)
  }

  #begin(): Life {
    const { machineSeeds } = this.#network
    let seed = this.#seeds.seed()
    while (machineSeeds.has(seed)) seed++ // two hubs that draw the same would number their messages alike
    machineSeeds.add(seed)
    return new Life(this.#network, { ...this.#setup, seed })
  }
}
