import type { Topic, TransportHost } from 'rivulet'
import { type Timeouts, timeoutsOf } from 'rivulet/transport'
import { Connection } from './connection.ts'
import { type Dialled, dialAny } from './dial.ts'
import type { Server, Settings } from './options.ts'
import { NO_PATTERNS } from './refusal.ts'
import { type SlotRange, slotOf } from './slots.ts'

/** How many topics are remembered with their connections: to find one anew costs more than to send. */
const MAX_TOPICS = 8_192

/** Connects to each node of a cluster that has slots. `asked` told which these are, and is left for them. */
export async function openCluster(
  asked: Dialled,
  host: TransportHost,
  settings: Settings,
  signal: AbortSignal,
): Promise<Cluster> {
  const ranges = asked.ranges ?? []
  asked.client.destroy()
  const servers = new Map(ranges.map((range) => [labelOf(range), serverOf(range, asked.server)]))
  const dialled = await dialAll(servers, settings, timeoutsOf(host), signal)
  return new Cluster(asked.server.label, ranges, dialled, host)
}

/** Dials all of these servers at once, and keeps their labels. When one fails, none of the connections stays. */
async function dialAll(
  servers: ReadonlyMap<string, Server>,
  settings: Settings,
  timeouts: Timeouts,
  signal: AbortSignal,
) {
  const dialled = new Map<string, Dialled>()
  const outcomes = await Promise.allSettled(
    [...servers].map(async ([label, server]) => {
      dialled.set(label, await dialAny([server], settings, timeouts, signal))
    }),
  )
  const failure = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failure === undefined && !signal.aborted) return dialled
  for (const { client } of dialled.values()) client.destroy()
  throw signal.aborted ? signal.reason : failure?.reason
}

/** The connections to all nodes of a cluster, each for the topics of its slots. Ends when one of them does. */
export class Cluster {
  readonly server: string
  readonly #ranges: readonly SlotRange[]
  readonly #nodes = new Map<string, Connection>()
  readonly #owners = new Map<Topic, Connection | undefined>()

  constructor(
    server: string,
    ranges: readonly SlotRange[],
    dialled: ReadonlyMap<string, Dialled>,
    host: TransportHost,
  ) {
    this.server = server
    this.#ranges = ranges
    const shared: TransportHost = {
      hub: host.hub,
      timeouts: host.timeouts,
      receive: (topic, frame) => host.receive(topic, frame),
      watched: (topic, frame) => host.watched(topic, frame),
      error: (topic, cause) => host.error(topic, cause),
      left: (topic, cause) => host.left(topic, cause),
      down: (cause) => {
        host.down(cause)
        void this.close(AbortSignal.abort())
      },
    }
    for (const [label, each] of dialled) this.#nodes.set(label, new Connection(each, shared))
  }

  send(topic: Topic, frame: Uint8Array | string): 'sent' | 'offline' {
    return this.#ownerOf(topic)?.send(topic, frame) ?? 'offline'
  }

  join(topic: Topic, signal: AbortSignal): Promise<void> {
    const owner = this.#ownerOf(topic)
    return owner?.join(topic, signal) ?? Promise.reject(new Error('no node has the slot of this channel'))
  }

  watch(): Promise<void> {
    return Promise.reject(new Error(NO_PATTERNS))
  }

  leave(topic: Topic): void {
    this.#ownerOf(topic)?.leave(topic)
  }

  async flush(signal: AbortSignal): Promise<void> {
    await Promise.all([...this.#nodes.values()].map((node) => node.flush(signal)))
  }

  heldBytes(): number {
    let bytes = 0
    for (const node of this.#nodes.values()) bytes += node.heldBytes()
    return bytes
  }

  async close(signal: AbortSignal): Promise<void> {
    await Promise.all([...this.#nodes.values()].map((node) => node.close(signal)))
  }

  #ownerOf(topic: Topic): Connection | undefined {
    if (this.#owners.has(topic)) return this.#owners.get(topic)
    if (this.#owners.size === MAX_TOPICS) this.#owners.clear()
    const slot = slotOf(topic)
    const range = this.#ranges.find(({ first, last }) => first <= slot && slot <= last)
    const owner = range && this.#nodes.get(labelOf(range))
    this.#owners.set(topic, owner)
    return owner
  }
}

function labelOf({ host, port }: SlotRange): string {
  return `${host}:${port}`
}

function serverOf({ host, port }: SlotRange, { address }: Server): Server {
  const known = host ?? ('host' in address ? address.host : '127.0.0.1')
  return { label: `${known}:${port}`, address: { host: known, port } }
}
