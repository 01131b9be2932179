import { setTimeout as delay } from 'node:timers/promises'
import { type Message, openHub } from 'rivulet'
import { Chance } from '../simulation/chance.ts'
import { type Numbered, Place, type Site } from './place.ts'

/** What the hubs' process tells of a message. */
export const PUBLISHED = 0
export const HEARD_LOCALLY = 1
export const HEARD = 2
/** Each entry has so many numbers: its kind, the hub, the stream, the message. */
export const ENTRY_LENGTH = 4
export type EntryKind = typeof PUBLISHED | typeof HEARD_LOCALLY | typeof HEARD

/** Told what happens in the hubs' process. */
export interface Witness {
  note(kind: EntryKind, site: number, stream: number, id: number): void
  broken(law: string, text: string): void
}

/** How large a crowd is, and how busy. */
export interface CrowdOptions {
  /** Where each hub connects to. */
  readonly urls: readonly string[]
  readonly streams: number
  readonly seed: number
}

const HUBS_A_STREAM = 3
const TICK_MS = 20
/** The longest wait of a join that is taken to cost the connection is five minutes. */
const HEALING_MS = 360_000
/** From the third message on, a hub takes a publisher for real. */
const WARM_UP_ROUNDS = 3
/** Changes of joins, and calls of the verbs that publish, for each stream and second. */
const CHANGES_A_STREAM = 0.2
const PUBLISHED_A_STREAM = 0.5
/** More than a hub remembers the publishers of a stream that has ended, so that they are forgotten. */
const REST_MS = 65_000
const VERBS = { tryPublish: 16, burst: 1, publishWhenReady: 2, publishLatest: 2 }

/** Hubs on one broker, whose programs publish, join, leave and end streams by chance while the load is on. */
export class Crowd {
  readonly sites: readonly Site[]
  /** The hubs that use a stream, by stream. */
  readonly places: readonly (readonly Place[])[]
  joins = 0
  /** How many places still wait for the message that has to arrive there. */
  awaited = 0
  readonly #chance: Chance
  readonly #witness: Witness
  /** When each stream comes back, in the order in which they ended. */
  readonly #resting = new Map<number, number>()
  #lastId = 0
  #load: NodeJS.Timeout | undefined

  /** Opens the hubs, lets every hub of a stream hear all others, and leaves half of the joins. */
  static async open(options: CrowdOptions, witness: Witness): Promise<Crowd> {
    const opening = options.urls.map(async (transport, index): Promise<Site> => {
      const hub = await openHub({ transport, name: 'soak', timeouts: { idleMs: 2_000 } }, { wait: false })
      const counts = { attempts: 0, heard: 0, published: 0, subscribers: 0, changes: 0 }
      const site = { index, hub, ...counts }
      hub.on('status', () => {
        site.changes++
      })
      hub.on('error', () => {})
      return site
    })
    const crowd = new Crowd(await Promise.all(opening), options, witness)
    await crowd.#warmUp()
    return crowd
  }

  private constructor(sites: readonly Site[], { streams, seed }: CrowdOptions, witness: Witness) {
    const chance = new Chance(seed, 1)
    this.sites = sites
    this.#chance = chance
    this.#witness = witness
    this.places = Array.from({ length: streams }, (_, index) => {
      const drawn = new Set<Site>()
      while (drawn.size < Math.min(HUBS_A_STREAM, sites.length)) drawn.add(chance.pick(sites))
      return [...drawn].map((site) => new Place(site, index, this.#heard))
    })
  }

  /** Has everything made that a hub keeps for a stream: otherwise it would come little by little, like a leak. */
  async #warmUp(): Promise<void> {
    const places = this.places.flat()
    for (const place of places) this.#join(place)
    await this.heals()
    for (let round = 0; round < WARM_UP_ROUNDS; round++) {
      await Promise.all(places.map((place) => this.publishWhenReady(place)))
      await Promise.all(this.sites.map(({ hub }) => hub.flush()))
    }
    for (const place of places) if (this.#chance.isHit(0.5)) place.leave()
  }

  get published(): number {
    return this.#lastId
  }

  /** Whether a stream is closed at all its hubs for a while. */
  rests(stream: number): boolean {
    return this.#resting.has(stream)
  }

  /** Waits until every hub is up and every join confirmed; tells whether that was in time. */
  async heals(): Promise<boolean> {
    const deadlineMs = performance.now() + HEALING_MS
    let isReady = false
    let isAsking = false
    const ask = async () => {
      isAsking = true
      const wanted = this.places.flat().filter(({ isWanted }) => isWanted)
      const ready = this.sites.map(({ hub }) => hub.ready())
      const answers = await Promise.allSettled([...ready, ...wanted.map((place) => place.joined())])
      isReady = answers.every(({ status }) => status === 'fulfilled')
      isAsking = false
    }
    while (!isReady && performance.now() < deadlineMs) {
      if (!isAsking) void ask() // again after a join was refused: it is made again
      await delay(TICK_MS)
    }
    return isReady
  }

  startLoad(): void {
    let lastMs = performance.now()
    let [changes, calls, ends] = [0, 0, 0]
    this.#load = setInterval(() => {
      const nowMs = performance.now()
      // What a process that stood still did not do is not made up for.
      const streamSeconds = (Math.min(nowMs - lastMs, 10 * TICK_MS) / 1_000) * this.places.length
      lastMs = nowMs
      changes += streamSeconds * CHANGES_A_STREAM
      calls += streamSeconds * PUBLISHED_A_STREAM
      ends += streamSeconds / 2_000
      for (; changes >= 1; changes--) this.#changeJoin()
      for (; calls >= 1; calls--) this.#publishSomething()
      for (; ends >= 1; ends--) this.#endStream(nowMs)
      this.#bringBack(nowMs)
    }, TICK_MS)
  }

  stopLoad(): void {
    clearInterval(this.#load)
  }

  /** Publishes one message, however long it has to wait for room. */
  async publishWhenReady(place: Place): Promise<number> {
    const id = this.#number(place)
    this.#mayArrive(place)
    await place.stream.publishWhenReady({ id })
    return id
  }

  /** Publishes a message, and expects it at every other hub that has joined the stream. */
  async expectAt(place: Place, others: readonly Place[]): Promise<void> {
    for (const other of others) other.awaited = this.#lastId + 1
    this.awaited += others.length
    await this.publishWhenReady(place)
  }

  #publishSomething(): void {
    const place = this.#anyPlace()
    if (place === undefined) return
    const verb = this.#chance.pickWeighted(VERBS)
    if (verb === 'tryPublish') this.#tryPublish(place)
    else if (verb === 'burst') for (let n = this.#chance.between(2, 45); n > 0; n--) this.#tryPublish(place)
    else if (verb === 'publishWhenReady') this.publishWhenReady(place).catch(() => {})
    else {
      const id = this.#number(place)
      this.#mayArrive(place)
      place.stream.publishLatest({ id }, { key: 'key' })
    }
  }

  #tryPublish(place: Place): void {
    const id = this.#number(place)
    if (place.stream.tryPublish({ id }).ok) this.#mayArrive(place)
  }

  #number(place: Place): number {
    const id = ++this.#lastId
    place.site.attempts++
    this.#witness.note(PUBLISHED, place.site.index, place.index, id)
    return id
  }

  #mayArrive(place: Place): void {
    for (const other of this.places[place.index] ?? []) if (other !== place) other.site.published++
  }

  #changeJoin(): void {
    const place = this.#anyPlace()
    if (place?.isWanted !== true) {
      if (place !== undefined) this.#join(place)
      return
    }
    place.leave()
    // A subscription that goes and comes again in one tick keeps its join.
    if (this.#chance.isHit(0.1)) this.#join(place)
  }

  #join(place: Place): void {
    this.joins++
    place.join()
  }

  #endStream(nowMs: number): void {
    const stream = this.#chance.below(this.places.length)
    if (this.rests(stream)) return
    for (const place of this.places[stream] ?? []) place.end()
    this.#resting.set(stream, nowMs + REST_MS)
  }

  #bringBack(nowMs: number): void {
    for (const [stream, backMs] of this.#resting) {
      if (backMs > nowMs) return
      this.#resting.delete(stream)
    }
  }

  #anyPlace(): Place | undefined {
    const stream = this.#chance.below(this.places.length)
    return this.rests(stream) ? undefined : this.#chance.pick(this.places[stream] ?? [])
  }

  readonly #heard = (place: Place, { data, isLocal }: Message<Numbered>, isLeft: boolean): void => {
    const { site, index } = place
    if (isLeft) this.#witness.broken('nothing comes after unsubscribe', `${data.id} at hub ${site.index}`)
    this.#witness.note(isLocal ? HEARD_LOCALLY : HEARD, site.index, index, data.id)
    if (isLocal) return
    site.heard++
    if (place.awaited !== data.id) return
    place.awaited = undefined
    this.awaited--
  }
}
