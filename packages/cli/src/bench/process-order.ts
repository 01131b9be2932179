import type { BenchPlace, ClientCounts } from './bench-client.ts'
import type { CountedDurations } from './durations.ts'
import type { Published } from './publisher.ts'
import type { Arrived } from './receiver.ts'

/** The library under measurement: Rivulet, or the bare client of the same broker. */
export type Contender = 'rivulet' | 'bare'

/** The work of one process of the bench, sent to child processes unchanged. */
export interface ProcessOrder {
  readonly contender: Contender
  readonly place: BenchPlace
  /** The name of this process among all. */
  readonly name: string
  /** The number of clients that publish. */
  readonly publishers: number
  /** The number of clients that subscribe. */
  readonly subscribers: number
  /** Whether the n-th subscriber receives only from the n-th publisher. */
  readonly isPaired: boolean
  /** Whether the subscriber of a pair sends each message back. */
  readonly isRoundTrip: boolean
  /** The names of the streams; those of a pair are prefixed with the names of the process and of the pair. */
  readonly streams: readonly string[]
  readonly sizeBytes: number
  /** Messages a second of each publisher; as many as possible if undefined. */
  readonly ratePerSecond: number | undefined
  readonly warmupMs: number
  readonly forMs: number
  /** The receivers that the publisher waits for; if empty it waits for the broker's confirmation. */
  readonly receivers: readonly string[]
  /** Whether received messages were published in this process, so that one clock measures their latency. */
  readonly isTimed: boolean
}

/** The report of one process of the bench. */
export interface ProcessReport {
  readonly published: readonly Published[]
  readonly arrived: readonly Arrived[]
  /** All messages published, the warm-up included. */
  readonly publishedInAll: number
  /** All messages received, the warm-up included. */
  readonly arrivedInAll: number
  /** The durations of calls of publish. */
  readonly calls: CountedDurations
  /** The latencies of messages. */
  readonly latencies: CountedDurations
  readonly counts: ClientCounts
}

/** One process of the bench, this one or a child. */
export interface BenchProcess {
  /** Connects and subscribes. Rejects when the broker is unavailable or refuses. */
  open(): Promise<void>
  /** Publishes, or waits for messages of other processes; resolves at the end. */
  run(): Promise<void>
  /** Records the count of a receiver in another process. */
  acknowledge(receiver: string, count: number): void
  /** Waits for messages in flight, disconnects, and resolves to the report. */
  finish(): Promise<ProcessReport>
  /** Ends it at any time. */
  stop(): void
}

/** Names the receivers of a process. */
export function receiversOf({ name, subscribers }: Pick<ProcessOrder, 'name' | 'subscribers'>): string[] {
  return Array.from({ length: subscribers }, (_, index) => `${name}-${index}`)
}
