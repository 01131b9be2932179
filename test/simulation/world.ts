import { EventLog } from './event-log.ts'
import { VirtualTime } from './virtual-time.ts'

/** A law that was broken. */
export interface Failure {
  /** The law, in a few words that stay the same from run to run. */
  readonly law: string
  /** What happened. */
  readonly text: string
  readonly site: number
  readonly atMs: number
}

/** The network speaks as this site. */
export const NETWORK = -1

/** What everything in a simulation shares: the clock, the log, and the first law that was broken. */
export class World {
  readonly seed: number
  readonly time = new VirtualTime()
  readonly log: EventLog
  failure: Failure | undefined
  /** The sum of the ledgers of all hubs that have ended. */
  readonly reached = new Map<string, number>()
  /** Whether the programs have stopped doing what they do, and nothing goes wrong any more. */
  isHealed = false

  /** `keepsLog`: whether the log will be read. */
  constructor(seed: number, keepsLog: boolean) {
    this.seed = seed
    this.log = new EventLog(keepsLog)
  }

  note(site: number, text: string): void {
    this.log.add(this.time.nowMs, site, text)
  }

  /** Notes that a law is broken. It does not throw: the library would catch that. */
  fail(law: string, site: number, text: string): void {
    if (this.failure !== undefined) return
    this.failure = { law, text, site, atMs: this.time.nowMs }
    this.note(site, `BROKEN LAW: ${law}: ${text}`)
  }

  /** Fails unless a condition holds. `text` is made only then. */
  check(isKept: boolean, law: string, site: number, text: () => string): void {
    if (!isKept) this.fail(law, site, text())
  }
}
