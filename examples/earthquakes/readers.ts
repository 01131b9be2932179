// Three ways to read one stream. Each starts to read, and returns a function that reports once the hub has closed.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Hub, Stream } from 'rivulet'
import { count, groupBy, lastValueFrom, map, mergeMap, reduce, share, toArray } from 'rxjs'
import type { Quake } from './quakes.ts'

/** The findings of a reader. */
export interface Findings {
  /** The number of messages that its own code got or its buffer dropped, to compare with the ledger. */
  readonly seen: number
  readonly story: string
  /** The strongest quakes, the strongest first; of the reader that ranks them. */
  readonly strongest?: readonly Quake[]
}

/** The name of a reader. */
export type ReaderName = 'plain' | 'pipeline' | 'slow'

/** The readers by name. `pauseMs`: the time that the slow one takes for a message. */
export const READERS: Record<ReaderName, (hub: Hub, pauseMs: number) => () => Promise<Findings>> = {
  plain: readPlainly,
  pipeline: readByPipeline,
  slow: readSlowly,
}

/** The names of all readers. */
export const READER_NAMES = Object.keys(READERS) as ReaderName[]

/** Opens the stream for reading. The publisher's limit applies; a lower one here would drop messages above it. */
export function openQuakes(hub: Hub): Stream<Quake> {
  return hub.stream<Quake>('quakes', { limit: false })
}

/** Subscribes a function: it is called with every message. */
function readPlainly(hub: Hub): () => Promise<Findings> {
  let calls = 0
  openQuakes(hub).subscribe(() => {
    calls += 1
  })
  return async () => ({ seen: calls, story: `subscribe: called ${calls} times` })
}

const STRONGEST = 5

/** Builds an RxJS pipeline, which completes when the stream ends: counts, ranks, and groups by reporting network. */
function readByPipeline(hub: Hub): () => Promise<Findings> {
  const quakes$ = openQuakes(hub).messages$.pipe(
    map(({ data }): Quake => data),
    share(),
  )
  const seen = lastValueFrom(quakes$.pipe(count()))
  const strongest = lastValueFrom(quakes$.pipe(reduce(rank, [] as readonly Quake[])))
  const networks = lastValueFrom(
    quakes$.pipe(
      groupBy(({ properties }) => properties.net),
      mergeMap((group) =>
        group.pipe(
          count(),
          map((quakes) => ({ name: group.key, quakes })),
        ),
      ),
      toArray(),
    ),
  )
  return async () => {
    const busiest = (await networks).sort((a, b) => b.quakes - a.quakes)
    const named = busiest.slice(0, 3).map(({ name, quakes }) => `${name} ${quakes}`)
    const story = `RxJS: ${busiest.length} networks reported, the busiest are ${named.join(', ')}`
    return { seen: await seen, story, strongest: await strongest }
  }
}

function rank(strongest: readonly Quake[], quake: Quake): readonly Quake[] {
  return [...strongest, quake].sort((a, b) => b.properties.mag - a.properties.mag).slice(0, STRONGEST)
}

const BUFFER = 64

/** Iterates with `for await`, slower than the quakes come: its bounded buffer drops the oldest messages. */
function readSlowly(hub: Hub, pauseMs: number): () => Promise<Findings> {
  const stream = openQuakes(hub)
  const messages = stream.iterate({ buffer: BUFFER, overflow: 'dropOldest' })
  const reading = readAll()

  async function readAll(): Promise<number> {
    let read = 0
    for await (const _ of messages) {
      read += 1
      // After the close of the hub the loop ends with the rest of the buffer.
      if (hub.status !== 'closed') await sleep(pauseMs)
    }
    return read
  }

  return async () => {
    const read = await reading
    const dropped = stream.ledger().iteratorDrops
    return {
      seen: read + dropped,
      story: `iterate: read ${read}, its buffer of ${BUFFER} dropped ${dropped} older ones`,
    }
  }
}
