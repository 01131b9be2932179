import { setTimeout as delay } from 'node:timers/promises'
import type { Chance } from '../simulation/chance.ts'
import type { Broker } from '../support/brokers.ts'
import type { FaultProxy, ProxyMode } from '../support/fault-proxy.ts'

/** What may go wrong, each as often as its number says. */
export const FAULTS = { kill: 3, stop: 3, freeze: 3, unplug: 2, blackhole: 2, refuse: 2, cut: 3, reload: 2 }
export type FaultKind = keyof typeof FAULTS

/** A fault of one run. */
export interface Fault {
  readonly kind: FaultKind
  readonly forMs: number
  /** Which of the hubs' links it concerns, when it concerns links: at least one. */
  readonly links: readonly number[]
}

const SHORT_MS = [100, 1_000] as const
/** Some outlast the two barriers of two seconds each after which a connection is given up. */
const LONG_MS = [1_000, 8_000] as const

/** Draws what goes wrong next. */
export function drawFault(chance: Chance, links: number, canReload: boolean): Fault {
  const kind = chance.pickWeighted(canReload ? FAULTS : { ...FAULTS, reload: 0 })
  const [leastMs, mostMs] = chance.isHit(0.5) ? SHORT_MS : LONG_MS
  const share = chance.next()
  const drawn = Array.from({ length: links }, (_, link) => link).filter(() => chance.isHit(share))
  return {
    kind,
    forMs: chance.between(leastMs, mostMs),
    links: drawn.length > 0 ? drawn : [chance.below(links)],
  }
}

/** A broker and the links to it, and how they fail. */
export class FailingBroker {
  readonly broker: Broker
  readonly links: readonly FaultProxy[]
  /** Further lines of the broker's configuration, by turns; none where it has no reload. */
  readonly #configs: readonly string[]
  #reloads = 0

  constructor(broker: Broker, links: readonly FaultProxy[], configs: readonly string[]) {
    this.broker = broker
    this.links = links
    this.#configs = configs
  }

  get canReload(): boolean {
    return this.#configs.length > 0
  }

  /** Lets a fault happen and last until its time is over or `signal` aborts; then heals everything. */
  async suffer(fault: Fault, signal: AbortSignal): Promise<void> {
    await this.#begin(fault)
    await delay(fault.forMs, undefined, { signal }).catch(() => {})
    await this.#heal(fault)
  }

  /** Starts the broker anew, also when Ctrl-C in a terminal has ended it. */
  async restart(): Promise<void> {
    await this.broker.restart()
  }

  async #begin({ kind, links }: Fault): Promise<void> {
    const chosen = links.map((link) => this.links[link] as FaultProxy)
    const become = (mode: ProxyMode) => {
      for (const link of chosen) link.mode = mode
    }
    if (kind === 'kill') await this.broker.kill()
    else if (kind === 'stop') await this.broker.stop()
    else if (kind === 'reload')
      this.broker.reload(this.#configs[++this.#reloads % this.#configs.length] ?? '')
    else if (kind !== 'cut') become(kind)
    if (kind === 'cut' || kind === 'refuse') for (const link of chosen) link.drop()
  }

  async #heal({ kind, links }: Fault): Promise<void> {
    if (kind === 'stop' && this.broker.alive) this.broker.cont()
    if (!this.broker.alive) await this.restart()
    for (const index of links) {
      const link = this.links[index] as FaultProxy
      if (kind === 'blackhole') link.drop() // it lost bytes: what would come now is garbage
      link.mode = 'pass'
    }
  }
}
