import { setTimeout as delay } from 'node:timers/promises'
import type { Bug } from '../simulation/bugs.ts'
import { Chance } from '../simulation/chance.ts'
import { type Broker, startMosquitto, startNats } from '../support/brokers.ts'
import { startProxy } from '../support/fault-proxy.ts'
import { sumOfLedgers } from '../support/ledger-laws.ts'
import { startRedis } from '../support/redis-servers.ts'
import { Books } from './books.ts'
import type { Census } from './census.ts'
import { drawFault, FailingBroker, type FaultKind } from './faults.ts'
import { HubsProcess } from './hubs-process.ts'
import { type Slopes, slopesOf, type TimedSample, whatGrows } from './slopes.ts'

interface Kind {
  readonly start: () => Promise<Broker>
  /** Further lines of its configuration, by turns, where it reads them again (SIGHUP). */
  readonly configs?: readonly string[]
}

const KINDS = {
  nats: { start: startNats, configs: ['', 'max_payload: 2MB'] },
  mosquitto: { start: startMosquitto, configs: ['', 'sys_interval 11'] },
  redis: { start: startRedis },
  valkey: { start: () => startRedis({ server: 'valkey-server' }) },
} as const satisfies Readonly<Record<string, Kind>>

export type BrokerName = keyof typeof KINDS
export const BROKER_NAMES = Object.keys(KINDS) as readonly BrokerName[]

export interface SoakSettings {
  readonly broker: BrokerName
  readonly minutes: number
  readonly seed: number
  readonly hubs: number
  readonly streams: number
  /** A mistake to put into the library, for a check of the checks. */
  readonly bug?: Bug | undefined
}

export interface SoakOptions {
  /** Ends the soak early, and in good order. */
  readonly signal?: AbortSignal
  /** Told of each step. */
  readonly progressed?: (seconds: number, text: string) => void
}

/** A fault that happened. */
export interface Outage {
  readonly kind: FaultKind
  readonly fromMs: number
  readonly toMs: number
}

export interface SoakResult {
  readonly settings: SoakSettings
  readonly durationMs: number
  /** The laws that were broken, each as often as it was told: nothing, if all is well. */
  readonly broken: readonly { readonly law: string; readonly text: string }[]
  readonly outages: readonly Outage[]
  readonly censuses: readonly Census[]
  readonly samples: readonly TimedSample[]
  /** `undefined` after a run that was too short. */
  readonly slopes: Slopes | undefined
  /** The ledgers of all hubs, summed up. */
  readonly ledger: Readonly<Record<string, number>>
}

const MOST_BROKEN = 20
const CALM_MS = [1_000, 8_000] as const
const ENDING_MS = 60_000

/** Runs hubs on one broker with random faults, and checks the laws throughout. */
export async function soak(settings: SoakSettings, options: SoakOptions = {}): Promise<SoakResult> {
  const kind: Kind = KINDS[settings.broker]
  const broker = await kind.start()
  const links = await Promise.all(Array.from({ length: settings.hubs }, () => startProxy(broker)))
  try {
    return await new Soak(settings, new FailingBroker(broker, links, kind.configs ?? []), options).run()
  } finally {
    await Promise.all(links.map((link) => link.close()))
    await broker.close()
  }
}

class Soak {
  readonly #settings: SoakSettings
  readonly #site: FailingBroker
  readonly #options: SoakOptions
  readonly #chance: Chance
  readonly #durationMs: number
  readonly #ended = new AbortController()
  readonly #broken: { law: string; text: string }[] = []
  readonly #outages: Outage[] = []
  readonly #censuses: Census[] = []
  readonly #samples: TimedSample[] = []
  #startMs = 0
  #sockets: number | undefined

  constructor(settings: SoakSettings, site: FailingBroker, options: SoakOptions) {
    this.#settings = settings
    this.#site = site
    this.#options = options
    this.#chance = new Chance(settings.seed, 0)
    this.#durationMs = settings.minutes * 60_000
    options.signal?.addEventListener('abort', () => this.#ended.abort())
  }

  async run(): Promise<SoakResult> {
    const { hubs, streams, seed, bug } = this.#settings
    const books = new Books(hubs, this.#break)
    const crowd = await HubsProcess.start({ noted: books.take, broken: this.#break }, bug)
    let ledger = new Map<string, number>()
    try {
      await crowd.call('open', { urls: this.#site.links.map(({ url }) => this.#urlOf(url)), streams, seed })
      this.#startMs = performance.now()
      await this.#rounds(crowd)
      ledger = sumOfLedgers(await crowd.call('close'))
      this.#tell('the hubs are closed')
      if (!(await crowd.ends(ENDING_MS))) this.#break('nothing is left after close', `${crowd.output}`)
    } catch (error) {
      this.#break('the process of the hubs goes on', String(error))
    } finally {
      crowd.kill()
    }
    return this.#result(ledger)
  }

  /** Calm, a fault, healing and a census by turns, until the time is over: once at least. */
  async #rounds(crowd: HubsProcess): Promise<void> {
    const { signal } = this.#ended
    let isLast = false
    while (!isLast) {
      await this.#calm(crowd)
      if (!signal.aborted) await this.#fail()
      if (this.#broken.length > 0) return
      if (signal.aborted) await this.#site.restart()
      isLast = signal.aborted || this.#nowMs >= this.#durationMs
      const census = await crowd.call('census', isLast)
      if (census === undefined) return
      this.#censuses.push(census)
      this.#checkSockets(await this.#sample(crowd))
      const healed = `healed after ${(census.healedAfterMs / 1_000).toFixed(1)} s`
      this.#tell(`${healed}; ${census.arrived} messages arrived`)
    }
  }

  async #calm(crowd: HubsProcess): Promise<void> {
    const everyMs = Math.min(10_000, Math.max(500, this.#durationMs / 200))
    const untilMs = Math.min(this.#durationMs, this.#nowMs + this.#chance.between(...CALM_MS))
    while (this.#nowMs < untilMs && !this.#ended.signal.aborted) {
      const { signal } = this.#ended
      await delay(Math.min(everyMs, untilMs - this.#nowMs), undefined, { signal }).catch(() => {})
      await this.#sample(crowd)
    }
  }

  async #fail(): Promise<void> {
    const fault = drawFault(this.#chance, this.#settings.hubs, this.#site.canReload)
    const fromMs = this.#nowMs
    this.#tell(`${fault.kind} for ${(fault.forMs / 1_000).toFixed(1)} s`)
    await this.#site.suffer(fault, this.#ended.signal)
    this.#outages.push({ kind: fault.kind, fromMs, toMs: this.#nowMs })
  }

  async #sample(crowd: HubsProcess): Promise<TimedSample> {
    const sample = { ...(await crowd.call('sample')), atMs: this.#nowMs }
    this.#samples.push(sample)
    return sample
  }

  /** Once everything has healed there are as many connections as at the first time. */
  #checkSockets({ handles: { TCPSocketWrap: sockets = 0 } }: TimedSample): void {
    this.#sockets ??= sockets
    if (sockets !== this.#sockets)
      this.#break('no connection is left over', `${sockets}, not ${this.#sockets}`)
  }

  #result(ledger: ReadonlyMap<string, number>): SoakResult {
    const slopes = slopesOf(this.#samples, this.#durationMs)
    const grows = slopes && whatGrows(slopes, this.#settings.hubs)
    if (grows !== undefined) this.#break('what is held stays flat', grows)
    return {
      settings: this.#settings,
      durationMs: this.#nowMs,
      broken: this.#broken,
      outages: this.#outages,
      censuses: this.#censuses,
      samples: this.#samples,
      slopes,
      ledger: Object.fromEntries(ledger),
    }
  }

  get #nowMs(): number {
    return performance.now() - this.#startMs
  }

  #tell(text: string): void {
    this.#options.progressed?.(this.#nowMs / 1_000, text)
  }

  #urlOf(url: string): string {
    return this.#settings.broker === 'mosquitto' ? `${url}?protocol=5` : url
  }

  readonly #break = (law: string, text: string): void => {
    if (this.#broken.length < MOST_BROKEN) this.#broken.push({ law, text })
    this.#ended.abort()
  }
}
