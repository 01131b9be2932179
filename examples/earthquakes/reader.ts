import type { Hub, Stream } from 'rivulet'
import type { Quake } from './quake.ts'

/** A hub that reads the quakes. */
export interface Reader {
  readonly label: string
  readonly hub: Hub
  /** How many messages its own code got, or its buffer gave up: to be compared with the ledger. */
  readonly seen: () => number
  /** Resolves when it has read everything that it will read; its hub was closed before. */
  readonly finished: Promise<void>
  /** What it has to tell at the end. */
  readonly story: () => string
  /** The strongest quakes that arrived, the strongest first; of a reader that ranks them. */
  readonly strongest?: () => readonly Quake[]
}

/** Opens the quakes for reading. */
export function openQuakes(hub: Hub): Stream<Quake> {
  // The publisher's limit is the one at work here; a reader with its own would drop what exceeds it.
  return hub.stream<Quake>('quakes', { limit: false })
}

/** Resolves when what others publish from now on will arrive. */
export async function joined(stream: Stream<Quake>): Promise<void> {
  const probe = stream.subscribe(() => {})
  await probe.ready
  probe.unsubscribe()
}
