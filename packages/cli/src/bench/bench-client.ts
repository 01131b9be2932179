import { sumOf } from '../base/sum.ts'
import type { Place } from '../connection/place.ts'
import type { BenchData } from './payload.ts'

/** A connection of the bench: a hub, or a bare client of the same broker. */
export interface BenchClient {
  /** Returns the function that publishes on a stream. */
  publisher(stream: string): (data: BenchData) => void
  /** Resolves when later messages will arrive. Rejects when the broker refuses. */
  subscribe(stream: string, listener: (data: BenchData) => void): Promise<void>
  /** A barrier: resolves when the broker has every message published before. */
  flush(): Promise<void>
  /** Closes the connection, and resolves to its counts. */
  close(): Promise<ClientCounts>
}

/** The counts of one client; `undefined` if it does not count them. */
export interface ClientCounts {
  readonly published: number
  readonly received: number
  readonly confirmed?: number | undefined
  readonly unconfirmed?: number | undefined
  readonly lost?: Counts | undefined
  readonly refused?: Counts | undefined
  readonly delivered?: number | undefined
  readonly dropped?: Counts | undefined
  readonly missed?: number | undefined
  readonly reordered?: number | undefined
  /** The number of lost connections. */
  readonly disconnected?: number | undefined
  /** The messages of the broker's refusals. */
  readonly refusals: readonly string[]
}

/** Numbers by reason. */
export type Counts = Readonly<Record<string, number>>

/** A place, and the time to connect to it. */
export interface BenchPlace extends Place {
  /** Time to wait for the broker, in ms. */
  readonly timeoutMs: number | undefined
}

/** Adds the counts of several clients. A count that none of them has stays `undefined`. */
export function sumOfCounts(all: readonly ClientCounts[]): ClientCounts {
  const plain = (name: PlainName) => added(all.map((counts) => counts[name]))
  const grouped = (name: GroupName) => addedGroups(all.map((counts) => counts[name]))
  return {
    published: plain('published') ?? 0,
    received: plain('received') ?? 0,
    confirmed: plain('confirmed'),
    unconfirmed: plain('unconfirmed'),
    lost: grouped('lost'),
    refused: grouped('refused'),
    delivered: plain('delivered'),
    dropped: grouped('dropped'),
    missed: plain('missed'),
    reordered: plain('reordered'),
    disconnected: plain('disconnected'),
    refusals: [...new Set(all.flatMap(({ refusals }) => refusals))],
  }
}

type GroupName = 'lost' | 'refused' | 'dropped'
type PlainName = Exclude<keyof ClientCounts, GroupName | 'refusals'>

function added(numbers: readonly (number | undefined)[]): number | undefined {
  const known = numbers.filter((number) => number !== undefined)
  return known.length === 0 ? undefined : sumOf(known)
}

function addedGroups(groups: readonly (Counts | undefined)[]): Counts | undefined {
  const known = groups.filter((group) => group !== undefined)
  if (known.length === 0) return undefined
  const reasons = new Set(known.flatMap((group) => Object.keys(group)))
  return Object.fromEntries([...reasons].map((reason) => [reason, added(known.map((g) => g[reason])) ?? 0]))
}
