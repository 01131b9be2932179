import type { Message, Topic } from 'rivulet'
import { type Handing, Heard } from './heard.ts'
import type { Life } from './life.ts'
import type { HandedFrame, Witness } from './network.ts'
import type { Data, StreamLife } from './stream-life.ts'
import type { Named } from './wire.ts'

/** What is truly handed to one hub, and so what it may deliver. */
export class Intake implements Witness {
  handedFrames = 0
  handedMessages = 0
  handedRemovals = 0
  /** Messages that may be taken for repeats. */
  repeats = 0
  /** Told of every message of another hub. */
  heardFrom: ((site: number, name: string) => void) | undefined
  readonly #life: Life
  readonly #heard = new Map<string, Heard>()
  /** When each message that this hub published was accepted. */
  readonly #acceptedMs = new Map<string, number>()
  #handing: Handing | undefined
  #hasRemoved = false

  constructor(life: Life) {
    this.#life = life
  }

  heardOn(name: string): Heard {
    const heard = this.#heard.get(name) ?? new Heard(this.#life.network, this.#life.link)
    this.#heard.set(name, heard)
    return heard
  }

  takes(topic: Topic, frame: HandedFrame, hand: () => void): void {
    const { content } = frame
    const name = decodeURIComponent(topic.split('/')[2] as string)
    const heard = this.heardOn(name)
    const handing = { ...frame, atMs: this.#life.network.world.time.nowMs }
    const of = this.#life.streams.get(name)
    if (content.isRemoval) this.handedRemovals++
    else this.handedFrames++
    this.handedMessages += content.messages
    this.repeats += heard.hand(handing)
    this.#handing = handing
    this.#hasRemoved = false
    hand()
    if (this.#hasRemoved) this.#checkRemoval(heard, handing, of)
    this.#handing = undefined
    heard.handed(handing, of?.maxAgeMs ?? Number.POSITIVE_INFINITY)
  }

  /** A message was accepted here. */
  publishedHere(sid: string): void {
    this.#acceptedMs.set(sid, this.#life.machine.trueMs())
  }

  acceptedMs(sid: string): number {
    return this.#acceptedMs.get(sid) ?? this.#life.machine.trueMs()
  }

  /** A stream was removed by another hub. */
  removed(): void {
    this.#hasRemoved = true
  }

  /** Checks that a message of another hub may be delivered. */
  delivered({ name, maxAgeMs }: StreamLife, { sid, data }: Message<Data>): void {
    const { network, setup } = this.#life
    const sent = network.truthOf(sid)
    this.#check(!this.#acceptedMs.has(sid), 'nothing own from elsewhere', () => sid)
    if (sent === undefined) return // a stranger's
    const named = this.#handing?.content.named.find((one) => one.sid === sid)
    this.#check(named !== undefined, 'nothing is delivered that was not received', () => sid)
    if (named === undefined) return
    const heard = this.heardOn(name)
    this.#check(sent.n === data.n, 'data is what was published', () => `${sid} has n=${data.n}`)
    this.#check(!heard.delivered.has(sid), 'nothing twice', () => `${sid} is delivered again on ${name}`)
    heard.delivered.add(sid)
    const isNext = heard.isNext(named) || !setup.isOrdered
    this.#check(isNext, 'order where it is claimed', () => `${sid} comes after a later one`)
    this.#checkAge(heard, named, maxAgeMs)
    this.heardFrom?.(sent.link.site, name)
  }

  /** A removal from elsewhere ends one stream only, and no stale one does. */
  #checkRemoval(heard: Heard, { content }: Handing, of: StreamLife | undefined): void {
    const named = content.named[0] as Named
    const { acceptsRemoval } = this.#life.setup
    this.#check(!heard.delivered.has(named.sid), 'a removal ends one stream only', () => named.sid)
    this.#check(acceptsRemoval, 'a removal is accepted only where it may be', () => named.sid)
    heard.delivered.add(named.sid)
    if (of !== undefined) this.#checkAge(heard, named, of.maxAgeMs)
  }

  #checkAge(heard: Heard, named: Named, maxAgeMs: number): void {
    const sent = this.#life.network.truthOf(named.sid)
    if (sent === undefined || maxAgeMs === Number.POSITIVE_INFINITY) return
    const why = heard.whyStale(named, sent, this.#handing as Handing, maxAgeMs / this.#life.machine.rate)
    this.#check(why === undefined, 'nothing stale', () => `${named.sid}: ${why}`)
  }

  #check(isKept: boolean, law: string, text: () => string): void {
    this.#life.check(isKept, law, text)
  }
}
