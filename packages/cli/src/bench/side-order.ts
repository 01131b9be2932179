import type { BenchPlace, ClientCounts } from './bench-client.ts'
import type { CountedDurations } from './durations.ts'
import type { Published } from './publisher.ts'
import type { Arrived } from './receiver.ts'

/** The library under measurement: Rivulet, or the bare client of the same broker. */
export type Contender = 'rivulet' | 'bare'

/** The work of one process of the bench. It is sent to child processes as it is. */
export interface SideOrder {
  readonly contender: Contender
  readonly place: BenchPlace
  /** The name of this side among all. */
  readonly name: string
  /** How many clients publish. */
  readonly publishers: number
  /** How many clients subscribe. */
  readonly subscribers: number
  /** Whether the first publisher is heard by the first subscriber only, and so on. */
  readonly isPaired: boolean
  /** Whether the subscriber of a pair sends each message back. */
  readonly isRoundTrip: boolean
  /** The names of the streams; those of a pair have the names of the side and of the pair in front. */
  readonly streams: readonly string[]
  readonly sizeBytes: number
  /** Messages a second of each publisher; without it as many as possible. */
  readonly ratePerSecond: number | undefined
  readonly warmupMs: number
  readonly forMs: number
  /** The names of the receivers that the publisher waits for; without any it waits for the broker's confirmation. */
  readonly receivers: readonly string[]
  /** Whether what is received here was published here, so that one clock tells how long it took. */
  readonly isTimed: boolean
}

/** The report of one process of the bench. */
export interface SideReport {
  readonly published: readonly Published[]
  readonly arrived: readonly Arrived[]
  /** All messages that the publishers published, the warm-up included. */
  readonly publishedInAll: number
  /** All messages that the subscribers got, the warm-up included. */
  readonly arrivedInAll: number
  /** How long calls of publish took. */
  readonly calls: CountedDurations
  /** How long messages were on their way. */
  readonly ways: CountedDurations
  readonly counts: ClientCounts
}

/** One process of the bench, this one or a child. */
export interface Side {
  /** Connects and subscribes. Rejects when the broker is away or refuses. */
  open(): Promise<void>
  /** Publishes, or waits for messages from elsewhere; resolves when that has ended. */
  run(): Promise<void>
  /** Notes how far a receiver of another process has come. */
  acknowledge(receiver: string, count: number): void
  /** Waits for what is still on its way, disconnects, and resolves to the report. */
  finish(): Promise<SideReport>
  /** Ends it, whatever it does. */
  stop(): void
}

/** Names the receivers of a side. */
export function receiversOf({ name, subscribers }: Pick<SideOrder, 'name' | 'subscribers'>): string[] {
  return Array.from({ length: subscribers }, (_, index) => `${name}-${index}`)
}
