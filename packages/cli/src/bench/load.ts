import { randomBytes } from 'node:crypto'
import type { BenchPlace } from './bench-client.ts'
import { type Contender, type ProcessOrder, receiversOf } from './process-order.ts'

/** The subject of a measurement. */
export type BenchKind = 'pub' | 'sub' | 'latency' | 'fanout'

/** The load of a bench, as requested by its user. */
export interface Load {
  readonly kind: BenchKind
  readonly place: BenchPlace
  /** Publishers, subscribers, or pairs of them. */
  readonly clients: number
  /** Streams; if there are pairs, for each of them. */
  readonly streams: number
  /** The prefix of the streams' names. */
  readonly streamPrefix: string
  readonly sizeBytes: number
  /** Messages a second of all publishers together; as many as possible if undefined. */
  readonly ratePerSecond: number | undefined
  readonly warmupMs: number
  readonly forMs: number
  /** Child processes of the clients; 0 for none. */
  readonly processes: number
  readonly isRoundTrip: boolean
}

/** The orders of one run: for this process, if any, and for child processes. */
export interface Orders {
  readonly here: ProcessOrder | undefined
  readonly children: readonly ProcessOrder[]
}

/** Splits a load among processes. */
export function ordersOf(load: Load, contender: Contender): Orders {
  const { kind, clients, processes } = load
  const shares = processes === 0 ? [clients] : sharesOf(clients, Math.min(processes, clients))
  const streams = streamsOf(load, contender)
  const orders = shares.map((share, index) => orderOf(load, { contender, streams, share, name: `${index}` }))
  if (processes === 0) return { here: orders[0], children: [] }
  if (kind !== 'fanout') return { here: undefined, children: orders }
  const receivers = orders.flatMap(receiversOf)
  const publisher = orderOf(load, { contender, streams, share: 0, name: 'publisher' })
  return {
    here: { ...publisher, publishers: 1, receivers },
    children: orders.map((order) => ({ ...order, publishers: 0, receivers, isTimed: false })),
  }
}

interface Share {
  readonly contender: Contender
  readonly streams: readonly string[]
  readonly share: number
  readonly name: string
}

function orderOf(load: Load, { contender, streams, share, name }: Share): ProcessOrder {
  const { kind, place, clients, sizeBytes, ratePerSecond, warmupMs, forMs, isRoundTrip } = load
  const isPaired = kind === 'latency'
  const publishers = { pub: share, sub: 0, latency: share, fanout: 1 }[kind]
  const subscribers = kind === 'pub' ? 0 : share
  const publishersInAll = kind === 'fanout' ? 1 : clients
  return {
    contender,
    place,
    name,
    publishers,
    subscribers,
    isPaired,
    isRoundTrip,
    streams,
    sizeBytes,
    warmupMs,
    forMs,
    isTimed: kind === 'latency' || kind === 'fanout',
    ratePerSecond: ratePerSecond === undefined ? undefined : ratePerSecond / publishersInAll,
    receivers: kind === 'fanout' ? receiversOf({ name, subscribers }) : [],
  }
}

/** Names the streams: `bench pub` and `bench sub` share theirs, the other benches use new ones. */
function streamsOf({ kind, streams, streamPrefix }: Load, contender: Contender): string[] {
  const isOpen = kind === 'pub' || kind === 'sub'
  const own = isOpen ? '' : `-${randomBytes(4).toString('hex')}`
  const bare = contender === 'bare' ? '-bare' : ''
  return Array.from({ length: streams }, (_, index) => `${streamPrefix}${own}${bare}-${index + 1}`)
}

function sharesOf(clients: number, processes: number): number[] {
  return Array.from({ length: processes }, (_, index) => {
    return Math.floor(((index + 1) * clients) / processes) - Math.floor((index * clients) / processes)
  })
}
