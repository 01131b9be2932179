import { type MemoryBus, type MemoryBusOptions, memoryBus } from '@rivulet/memory'
import type { Topic } from 'rivulet'
import { Forgeries } from './forgeries.ts'
import type { Link } from './link.ts'
import { type FrameContent, FrameReader, type Named } from './wire.ts'
import { NETWORK, type World } from './world.ts'

const MOST_FRAME_BYTES = 256 * 1024
const MOST_MESSAGES = 64
const KEPT_FRAMES = 40

/** What is truly known of a message: who sent it, and when. */
export interface Sent {
  readonly link: Link
  readonly sentMs: number
  readonly n: unknown
  /** On the publisher's own clock. */
  readonly tMs: number
}

/** A frame that somebody may overhear. */
export interface Overheard {
  readonly topic: Topic
  readonly bytes: Uint8Array
  readonly content: FrameContent
}

/** Who publishes under an origin, and the last that was sent. */
interface Publishing {
  readonly link: Link
  readonly topic: Topic
  readonly sequence: number
  readonly tMs: number
}

/** A frame that is handed to a hub. */
export interface HandedFrame {
  readonly content: FrameContent
  /** How long it waited on the hub's own link. */
  readonly heldMs: number
  /** Another object for each join of the topic. */
  readonly join: object
}

/** Knows what a hub does. */
export interface Witness {
  /** Told of each frame that is handed to the hub; `hand` does it. */
  takes(topic: Topic, frame: HandedFrame, hand: () => void): void
  /** When the hub accepted a message, on the true clock. */
  acceptedMs(sid: string): number
}

/** The simulated network: a memory bus with links to it, and everything that truly happened on it. */
export class Network {
  readonly world: World
  readonly bus: MemoryBus
  readonly frames = new FrameReader()
  readonly links = new Set<Link>()
  readonly witnesses = new Map<Link, Witness>()
  readonly maxInFlightBytes: number
  readonly topics = new Set<Topic>()
  /** Pairs of sites, `from>to`, whose frames get lost. */
  readonly blocked = new Set<string>()
  /** Frames of messages, and of removals, that somebody overheard: the last ones. */
  readonly overheard: Overheard[] = []
  readonly removals: Overheard[] = []
  /** What intruders sent in the name of hubs. */
  readonly forgeries = new Forgeries()
  /** Of all processes so far. */
  readonly machineSeeds = new Set<number>()
  readonly #sent = new Map<string, Sent>()
  readonly #publishing = new Map<string, Publishing>()

  constructor(world: World, options: MemoryBusOptions, maxInFlightBytes: number) {
    const { time } = world
    const environment = {
      nowMs: () => time.nowMs,
      setTimer: (action: () => void, waitMs: number) => time.at(time.nowMs + Math.max(1, waitMs), action),
    }
    this.world = world
    this.maxInFlightBytes = maxInFlightBytes
    this.bus = memoryBus({ ...options, environment })
  }

  /** Returns what is known of a message; nothing when an intruder made it up, or sent another one under its sid. */
  truthOf({ sid, n, tMs }: Named): Sent | undefined {
    const sent = this.#sent.get(sid)
    return sent !== undefined && sent.n === n && sent.tMs === tMs ? sent : undefined
  }

  /** Whether a hub sent something under a sid. */
  hasSent(sid: string): boolean {
    return this.#sent.has(sid)
  }

  /** Returns who publishes under an origin; nobody when an intruder made it up. */
  readonly publishing = (origin: string): Publishing | undefined => this.#publishing.get(origin)

  /** Whether a one-way partition lies between the sender of a frame and a link. */
  isBlocked(content: FrameContent, to: Link): boolean {
    if (this.blocked.size === 0) return false
    const sender = this.#sent.get(content.named[0]?.sid ?? '')
    return sender !== undefined && this.blocked.has(`${sender.link.site}>${to.site}`)
  }

  /** Takes note of a frame that a hub sends, and checks its form. */
  sent(link: Link, topic: Topic, bytes: Uint8Array): FrameContent {
    const content = this.frames.read(bytes)
    const fits = bytes.length <= MOST_FRAME_BYTES && content.messages <= MOST_MESSAGES
    this.world.check(fits, 'a frame is within its limits', link.site, () => `${bytes.length} bytes`)
    const count = Math.max(1, content.messages)
    const isWhole = content.named.length === count
    this.world.check(
      isWhole,
      'a frame is well formed',
      link.site,
      () => `of ${count}: ${content.named.length}`,
    )
    this.topics.add(topic)
    for (const named of content.named) {
      this.#checkOrder(link, topic, named)
      const sentMs = this.witnesses.get(link)?.acceptedMs(named.sid) ?? link.machine.trueMs()
      this.#sent.set(named.sid, { link, sentMs, n: named.n, tMs: named.tMs })
    }
    const kept = content.isRemoval ? this.removals : this.overheard
    kept.push({ topic, bytes, content })
    if (kept.length > KEPT_FRAMES) kept.shift()
    this.world.note(link.site, `sends ${content.messages} from ${content.named[0]?.sid} on ${topic}`)
    return content
  }

  checkInFlight(link: Link, bytes: number): void {
    const isBounded = bytes <= this.maxInFlightBytes
    const text = () => `${bytes} bytes are in flight, ${this.maxInFlightBytes} may be`
    this.world.check(isBounded, 'what is in flight is bounded', link.site, text)
  }

  handOver(link: Link, topic: Topic, frame: HandedFrame, hand: () => void): void {
    this.witnesses.get(link)?.takes(topic, frame, hand)
  }

  /** Checks that the bus has lost nothing without counting it. */
  checkCounts(): void {
    const { sent, duplicated, inFlight, ...ends } = this.bus.counts()
    const ended = Object.values(ends).reduce((sum, count) => sum + count, 0)
    const text = () => JSON.stringify(this.bus.counts())
    this.world.check(sent + duplicated === ended + inFlight, 'the bus counts every delivery', NETWORK, text)
  }

  /** Wire order is the order of the numbers, and `t` never goes back. */
  #checkOrder(link: Link, topic: Topic, { origin, sequence, tMs, sid }: Named): void {
    const last = this.#publishing.get(origin)
    const isNext = last === undefined || (sequence > last.sequence && tMs >= last.tMs)
    const text = () => `${sid} at t ${tMs} follows number ${last?.sequence} at t ${last?.tMs}`
    this.world.check(isNext, 'wire order is the order of numbers', link.site, text)
    this.#publishing.set(origin, { link, topic, sequence, tMs })
  }
}
