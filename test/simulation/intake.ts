import { type Message, Stream, type Topic } from 'rivulet'
import { type Handing, Heard } from './heard.ts'
import type { Life } from './life.ts'
import type { HandedFrame, Witness } from './network.ts'
import type { Data, StreamLife } from './stream-life.ts'
import { type Named, nameIn } from './wire.ts'

/** While a barrier has had no answer for longer, the library may doubt what comes. */
const MOST_OPEN_MS = 1_800
/** What whole milliseconds and clocks that run apart may add. */
const SLACK_MS = 50

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
  /** The last message of the frame that was delivered. */
  #lastDelivered: Named | undefined

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
    const name = nameIn(topic)
    const heard = this.heardOn(name)
    const handing = { ...frame, atMs: this.#life.network.world.time.nowMs }
    const of = this.#life.streams.get(name)
    if (content.isRemoval) this.handedRemovals++
    else this.handedFrames++
    this.handedMessages += content.messages
    this.repeats += heard.hand(handing)
    this.#handing = handing
    this.#hasRemoved = false
    this.#lastDelivered = undefined
    const staleBefore = this.#isUndelayed(heard, handing, of) ? staleOn(of) : undefined
    hand()
    if (staleBefore !== undefined)
      this.#check(staleOn(of) === staleBefore, 'what was not held back is never stale', () => {
        return content.named.map(({ sid }) => sid).join()
      })
    if (this.#hasRemoved) this.#checkRemoval(heard, handing, of)
    this.#handing = undefined
    heard.handed(handing, this.#lastDelivered, of?.maxAgeMs ?? Infinity)
  }

  /**
   * Whether all messages of a frame are real and young, and the own link is not in doubt: none of them can be stale.
   */
  #isUndelayed(heard: Heard, { content, atMs }: Handing, of: StreamLife | undefined): boolean {
    const { machine, link, network } = this.#life
    // A process that was busy finds its barrier overdue before it reads the answer.
    if (of === undefined || machine.isSlow || link.openBarrierForMs * machine.rate > MOST_OPEN_MS)
      return false
    return content.named.every((named) => {
      const sent = network.truthOf(named)
      return sent !== undefined && !heard.isForged(named) && atMs - sent.sentMs < of.maxAgeMs / 2 - SLACK_MS
    })
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

  /** Whether a message may come twice: numbers of its publisher were forged, and the library may have forgotten it. */
  mayComeAgain(name: string, sid: string): boolean {
    const named = this.#handing?.content.named.find((one) => one.sid === sid)
    return named !== undefined && this.heardOn(name).mayComeAgain(named)
  }

  /** Checks that a message of another hub may be delivered. */
  delivered({ name, maxAgeMs }: StreamLife, { sid, data }: Message<Data>): void {
    const { network, setup, link } = this.#life
    const named = this.#handing?.content.named.find((one) => one.sid === sid && one.n === data.n)
    const publishing = network.publishing(sid.slice(2, 18))
    const isOwn = publishing?.link === link || this.#acceptedMs.has(sid)
    this.#check(!isOwn, 'nothing own from elsewhere', () => sid)
    const isKnown = named !== undefined || !network.hasSent(sid)
    this.#check(
      isKnown,
      'data is what was published, in a frame that was received',
      () => `${sid} n=${data.n}`,
    )
    this.#lastDelivered = named
    if (named === undefined || publishing === undefined) return // an intruder's
    const heard = this.heardOn(name)
    this.#checkNumber(heard, named)
    const isNext = heard.isNext(named, this.#life.network.world.time.nowMs) || !setup.isOrdered
    this.#check(isNext, 'order where it is claimed', () => `${sid} comes after a later one`)
    const sent = network.truthOf(named)
    const isForged = sent === undefined && network.forgeries.has(sid)
    this.#check(isForged || sent !== undefined, 'data is what was published', () => `${sid} has n=${data.n}`)
    if (sent === undefined) return
    this.#checkAge(heard, named, maxAgeMs)
    this.heardFrom?.(sent.link.site, name)
  }

  /** A removal from elsewhere ends one stream only, and no stale one does. */
  #checkRemoval(heard: Heard, { content }: Handing, of: StreamLife | undefined): void {
    const named = content.named[0] as Named
    const { setup, network, link } = this.#life
    const isOwn = network.publishing(named.origin)?.link === link
    this.#check(!isOwn, 'nothing own from elsewhere', () => named.sid)
    this.#check(setup.acceptsRemoval, 'a removal is accepted only where it may be', () => named.sid)
    this.#checkNumber(heard, named)
    if (of !== undefined) this.#checkAge(heard, named, of.maxAgeMs)
  }

  /** A number counts once, also one that was forged, and none that is far from those before it. */
  #checkNumber(heard: Heard, named: Named): void {
    const { sid } = named
    const isFirst = !heard.delivered.has(sid) || heard.mayComeAgain(named)
    this.#check(isFirst, 'nothing twice', () => `${sid} counts again`)
    this.#check(!heard.isTooFar(named), 'a far number is not believed at once', () => sid)
    heard.delivered.add(sid)
  }

  #checkAge(heard: Heard, named: Named, maxAgeMs: number): void {
    const sent = this.#life.network.truthOf(named)
    if (sent === undefined || maxAgeMs === Infinity) return
    const why = heard.whyStale(named, sent, this.#handing as Handing, maxAgeMs / this.#life.machine.rate)
    this.#check(why === undefined, 'nothing stale', () => `${named.sid}: ${why}`)
  }

  #check(isKept: boolean, law: string, text: () => string): void {
    this.#life.check(isKept, law, text)
  }
}

function staleOn(of: StreamLife | undefined): number {
  return (of && Stream.stateOf(of.stream as Stream)?.counters.dropped.stale) ?? 0
}
