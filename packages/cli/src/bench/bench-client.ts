import { sumOf } from '../base/sum.ts'
import type { Place } from '../connection/place.ts'
import type { BenchData } from './payload.ts'

/** A connection that the bench publishes and subscribes with: a hub, or a bare client of the same broker. */
export interface BenchClient {
  /** Gives the function that publishes on a stream. */
  publisher(stream: string): (data: BenchData) => void
  /** Resolves when what is published from then on arrives. Rejects when the broker refuses. */
  subscribe(stream: string, listener: (data: BenchData) => void): Promise<void>
  /** A barrier: resolves when the broker has everything that was published before. */
  flush(): Promise<void>
  /** Closes the connection, and resolves to its counts since it was opened. */
  close(): Promise<ClientCounts>
}

/** The counts of one client; `undefined` for what it does not count. */
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
  /** How often the connection was lost. */
  readonly disconnected?: number | undefined
  /** What the broker refused, in words. */
  readonly refusals: readonly string[]
}

/** Numbers by their reason. */
export type Counts = Readonly<Record<string, number>>

/** How to connect. */
export interface BenchPlace extends Place {
  /** How long to wait for the broker. */
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
  const told = numbers.filter((number) => number !== undefined)
  return told.length === 0 ? undefined : sumOf(told)
}

function addedGroups(groups: readonly (Counts | undefined)[]): Counts | undefined {
  const told = groups.filter((group) => group !== undefined)
  if (told.length === 0) return undefined
  const reasons = new Set(told.flatMap((group) => Object.keys(group)))
  return Object.fromEntries([...reasons].map((reason) => [reason, added(told.map((g) => g[reason])) ?? 0]))
}
