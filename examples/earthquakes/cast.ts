import type { Hub, Ledger } from 'rivulet'
import type { Quake } from './quake.ts'

/** A hub that publishes, and readers, in this process or in others. */
export interface Cast {
  readonly seismograph: Hub
  /** How the quakes travel. */
  readonly way: string
  /** Closes the publisher first, then the readers once they have everything. Gives the readers' accounts. */
  readonly finish: () => Promise<readonly ReaderAccount[]>
  /** Ends whatever is left, in bounded time. Idempotent. */
  readonly close: () => Promise<void>
}

/** The final ledger of one hub. */
export interface Account {
  readonly label: string
  readonly ledger: Ledger
}

/** What a reader has to say in the end. */
export interface ReaderAccount extends Account {
  /** How many messages its own code got, or its buffer gave up. */
  readonly seen: number
  /** How many messages it knows that got lost on their way to it. */
  readonly lost: number
  /** Whether that is all of them: it listened without a break from the first message to the end of the stream. */
  readonly knowsAllLost: boolean
  readonly story: string
  readonly strongest?: readonly Quake[]
}

/** What the readers need to know. */
export interface Script {
  /** How long the slow reader takes for a quake. */
  readonly pauseMs: number
  readonly onBigQuake: (quake: Quake) => void
}
