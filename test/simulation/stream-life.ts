import type { Message, Stream, StreamIterator, StreamOptions } from 'rivulet'
import type { Life } from './life.ts'
import { RateMeter } from './rate-meter.ts'
import type { Reader } from './reader.ts'

/** What the workload publishes. */
export interface Data {
  /** Different in every message. */
  readonly n: number
  /** How often it was passed on by subscribers. */
  readonly depth: number
  readonly isBad?: boolean
  readonly isChecked?: boolean
  readonly pad?: string
}

/** One Stream of a hub from its opening to its end, with all who read it. */
export class StreamLife {
  readonly life: Life
  readonly name: string
  readonly options: StreamOptions
  readonly stream: Stream<Data, Data>
  readonly readers = new Set<Reader>()
  /** All iterators that it ever had. */
  readonly iterators = new Set<StreamIterator<Data>>()
  /** How many messages its events told of. */
  readonly told = { lost: 0, dropped: 0, refused: 0, missedAway: 0 }
  /** Whether anybody has listened yet. */
  hasListened = false
  /** Whether its end was told. While its hub closes a stream waits for that until the values that it keeps are out. */
  hasEnded = false
  /** In which order its messages were delivered first. */
  readonly #places = new Map<Message<Data>, number>()
  readonly #sids = new Set<string>()
  /** Messages whose delivery has ended. */
  readonly #published = new Set<Message<Data>>()
  /** Accepted inside a running fan-out: metered already. */
  readonly #metered = new Set<Message<Data>>()
  readonly #own: RateMeter | undefined
  readonly #all: RateMeter | undefined

  constructor(life: Life, name: string, options: StreamOptions) {
    this.life = life
    this.name = name
    this.options = options
    this.stream = life.hub.stream(name, options as object) as unknown as Stream<Data, Data>
    const { limit } = options
    if (limit !== false) {
      const { ratePerSecond = 30, burst = 30, scope } = limit ?? {}
      this.#own = new RateMeter(ratePerSecond, burst + 0.002 * ratePerSecond)
      const most = burst + Math.max(1, burst / 4) + 1.001 * ratePerSecond
      if (scope !== 'process') this.#all = new RateMeter(1.001 * ratePerSecond, most + 0.002 * ratePerSecond)
    }
    this.stream.on('messagePublished', ({ message }) => this.#ended(message))
    this.stream.on('lost', ({ count }) => {
      this.told.lost += count
    })
    this.stream.on('dropped', ({ count }) => {
      this.told.dropped += count
    })
    this.stream.on('gap', ({ missed }) => {
      this.told.missedAway += missed
    })
    this.stream.on('refused', () => {
      this.told.refused++
    })
    this.stream.on('removed', ({ reason, isLocal }) => life.removed(this, reason, isLocal))
    this.stream.on('closed', () => {
      this.hasEnded = true
      life.ended(this)
    })
    this.stream.on('error', ({ code }) => life.note(`an error of ${name}: ${code}`))
  }

  get maxAgeMs(): number {
    const { maxAgeMs } = this.options
    return maxAgeMs === false ? Infinity : (maxAgeMs ?? 5_000)
  }

  /** Somebody listens: what was heard before counts again, or is forgotten. */
  listensFirst(): void {
    if (!this.hasListened) this.life.intake.heardOn(this.name).begin()
    this.hasListened = true
  }

  /** Publishes by any verb, which `call` makes; counts the attempt, and checks that readers had it before it returned. */
  publish(call: (stream: Stream<Data, Data>) => Message<Data> | undefined): Message<Data> | undefined {
    const readers = [...this.readers].filter(({ isCalledAtOnce }) => isCalledAtOnce)
    this.life.attempts++
    let message: Message<Data> | undefined
    try {
      message = call(this.stream)
    } catch {
      return undefined
    }
    if (message === undefined) return undefined
    const place = this.#places.get(message)
    if (place === undefined && !this.#published.has(message)) this.#acceptedEarly(message)
    if (place === undefined) return message
    for (const reader of readers) {
      const hasIt = reader.isOver || reader.place >= place
      this.#check(hasIt, 'a publish is delivered before it returns', () => `${message?.sid} is not`)
    }
    return message
  }

  /** A reader gets a message: returns its place in the one order of the stream. */
  placeOf(message: Message<Data>): number {
    const known = this.#places.get(message)
    if (known !== undefined) return known
    const place = this.#places.size
    this.#places.set(message, place)
    this.#firstSeen(message)
    return place
  }

  /** Everything that is done once for each message. */
  #firstSeen(message: Message<Data>): void {
    const { sid, isLocal, data } = message
    const isFirst = !this.#sids.has(sid) || this.life.intake.mayComeAgain(this.name, sid)
    this.#check(isFirst, 'nothing twice', () => `${sid} is delivered again on ${this.name}`)
    this.#sids.add(sid)
    this.#check(!this.hasEnded, 'nothing after the end', () => `${sid} comes on ${this.name}`)
    this.#check(Object.isFrozen(data), 'data is frozen', () => sid)
    const isChecked = this.options.schema === undefined || data.isChecked === true
    this.#check(isChecked, 'data has passed the schema', () => sid)
    this.#meter(message)
    if (isLocal) this.life.intake.publishedHere(sid)
    else this.life.intake.delivered(this, message)
  }

  #ended(message: Message<Data>): void {
    this.placeOf(message)
    const isFirst = !this.#published.has(message)
    this.#check(isFirst, 'nothing twice', () => `${message.sid} is delivered again on ${this.name}`)
    this.#published.add(message)
  }

  #acceptedEarly(message: Message<Data>): void {
    this.life.intake.publishedHere(message.sid)
    this.#meter(message)
    this.#metered.add(message)
  }

  #meter(message: Message<Data>): void {
    if (this.#metered.delete(message)) return
    const { isLocal } = message
    const { elapsedMs } = this.life.machine
    const isOwnKept = !isLocal || this.#own?.add(elapsedMs) !== false
    this.#check(
      isOwnKept,
      'own publishing keeps the rate',
      () => `${message.sid} is too much on ${this.name}`,
    )
    const isKept = this.#all?.add(elapsedMs) !== false
    this.#check(isKept, 'what is let in keeps the rate', () => `${message.sid} is too much on ${this.name}`)
  }

  #check(isKept: boolean, law: string, text: () => string): void {
    this.life.check(isKept, law, text)
  }
}
