import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import type { Crowd, Witness } from './crowd.ts'
import type { Place } from './place.ts'

/** What a census found. */
export interface Census {
  /** How long it took until every hub was up and every join confirmed. */
  readonly healedAfterMs: number
  /** How many messages arrived at other hubs. */
  readonly arrived: number
  /** How often the machine or a connection came in between, so that it began again. */
  readonly repeats: number
}

/** Nothing that is on its way takes so long after the one before. */
const ARRIVAL_MS = 10_000
const POLL_MS = 20
/** A full bucket of the usual limit is empty after one second, that of a receiver after two. */
const ROOM_MS = 2_100
/** Barriers have two seconds; a process that stands still for longer may lose its connection. */
const STANDSTILL_NS = 1e9

/**
 * Checks, with no load and no fault, that every hub comes up, every join is confirmed, and one message of each stream
 * arrives at every other hub that has joined it. A connection that is lost meanwhile, as on a machine that stands
 * still, begins it again.
 */
export async function takeCensus(crowd: Crowd, witness: Witness): Promise<Census | undefined> {
  const startMs = performance.now()
  let healedAfterMs: number | undefined
  for (let repeats = 0; ; repeats++) {
    if (!(await crowd.heals())) {
      const states = crowd.sites.map(({ hub }) => hub.status).join(', ')
      witness.broken('everything heals', `the hubs are ${states}`)
      return undefined
    }
    healedAfterMs ??= performance.now() - startMs
    const calm = new Calm(crowd)
    try {
      await hasCapacity(crowd)
      const arrived = await publishEverywhere(crowd)
      if (await arrives(crowd, calm)) return { healedAfterMs, arrived, repeats }
      if (!calm.isDisturbed) {
        witness.broken('what is published arrives everywhere', missing(crowd, arrived))
        return undefined
      }
    } finally {
      calm.stop()
      forget(crowd)
    }
  }
}

/** Waits until the limits have room, and a barrier of each hub was answered: nothing is taken to be late then. */
async function hasCapacity(crowd: Crowd): Promise<void> {
  await delay(ROOM_MS)
  for (const site of crowd.sites) {
    const place = crowd.places.flat().find((each) => each.site === site && !crowd.rests(each.index))
    if (place !== undefined) await crowd.publishWhenReady(place)
  }
  await Promise.all(crowd.sites.map(({ hub }) => hub.flush()))
}

/** Publishes a message on each stream that somebody else has joined, and returns how many have to arrive. */
async function publishEverywhere(crowd: Crowd): Promise<number> {
  const publishing: Promise<void>[] = []
  for (const places of crowd.places) {
    const readers = places.filter(({ isWanted }) => isWanted)
    const publisher = places.find((place) => readers.length > 1 || place !== readers[0]) as Place
    const others = readers.filter((place) => place !== publisher)
    if (others.length > 0) publishing.push(crowd.expectAt(publisher, others))
  }
  const expected = crowd.awaited
  await Promise.all(publishing)
  return expected
}

async function arrives(crowd: Crowd, calm: Calm): Promise<boolean> {
  let [awaited, lastMs] = [crowd.awaited, performance.now()]
  while (crowd.awaited > 0 && performance.now() - lastMs < ARRIVAL_MS && !calm.isDisturbed) {
    await delay(POLL_MS)
    if (crowd.awaited < awaited) [awaited, lastMs] = [crowd.awaited, performance.now()]
  }
  return crowd.awaited === 0
}

function missing(crowd: Crowd, expected: number): string {
  const places = crowd.places.flat().filter(({ awaited }) => awaited !== undefined)
  const byHub = crowd.sites.map((site) => places.filter((place) => place.site === site).length)
  const [first] = places
  const ledgers = crowd.places[first?.index ?? 0]?.map(({ stream, site }) => [site.index, stream.ledger()])
  return `${places.length} of ${expected} messages are missing, by hub ${byHub}; the first is ${first?.awaited} of stream ${
    first?.index
  } at hub ${first?.site.index}: ${JSON.stringify(ledgers)}`
}

function forget(crowd: Crowd): void {
  for (const place of crowd.places.flat()) place.awaited = undefined
  crowd.awaited = 0
}

/** Tells whether a connection was lost, or the process stood still, since it was made. */
class Calm {
  readonly #crowd: Crowd
  readonly #changes: number
  readonly #delay = monitorEventLoopDelay()

  constructor(crowd: Crowd) {
    this.#crowd = crowd
    this.#changes = this.#changesNow
    this.#delay.enable()
  }

  get isDisturbed(): boolean {
    return this.#delay.max > STANDSTILL_NS || this.#changesNow > this.#changes
  }

  stop(): void {
    this.#delay.disable()
  }

  get #changesNow(): number {
    return this.#crowd.sites.reduce((sum, { changes }) => sum + changes, 0)
  }
}
