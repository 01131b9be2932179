import type { Hub, Message, StreamOptions, Topic } from 'rivulet'
import { createHubIn } from 'rivulet/testing'
import type { Chance } from './chance.ts'
import { type Handing, Heard } from './heard.ts'
import { checkClosed } from './ledger-laws.ts'
import { Link } from './link.ts'
import { Machine } from './machine.ts'
import type { Network, Witness } from './network.ts'
import { type Data, StreamLife } from './stream-life.ts'
import type { FrameContent, Named } from './wire.ts'

/** The last flush, handing over and closing have a deadline each. */
const MOST_CLOSING_MS = 5_000

/** How the hubs of one simulation are set up. */
export interface LifeSetup {
  readonly site: number
  readonly seed: number
  readonly latencyMs: number
  readonly acceptsRemoval: boolean
  /** The options of each stream, by name. */
  readonly streams: ReadonlyMap<string, StreamOptions>
  /** Whether numbers of one publisher have to rise: nothing overtakes on this network. */
  readonly isOrdered: boolean
}

/** The life of one hub in its process, from its start to its close or death, with all that truly happened to it. */
export class Life implements Witness {
  readonly setup: LifeSetup
  readonly network: Network
  readonly machine: Machine
  readonly link: Link
  readonly hub: Hub
  /** The open ones. */
  readonly streams = new Map<string, StreamLife>()
  /** What the ledger has to say. */
  attempts = 0
  throws = 0
  handedFrames = 0
  handedMessages = 0
  handedRemovals = 0
  repeats = 0
  isClosing = false
  /** Answers of `flush` and `ready` that have not come yet. */
  openBarriers = 0
  /** Told of every message of another hub. */
  heardFrom: ((site: number, name: string) => void) | undefined
  readonly #heard = new Map<string, Heard>()
  /** When each message that this hub published was accepted. */
  readonly #acceptedMs = new Map<string, number>()
  #handing: Handing | undefined
  #hasRemoved = false
  #made = 0

  constructor(network: Network, setup: LifeSetup) {
    const { time } = network.world
    this.setup = setup
    this.network = network
    this.machine = new Machine(time, setup.seed)
    this.link = new Link(network, this.machine, setup.site, setup.latencyMs, setup.seed + 1)
    network.links.add(this.link)
    network.witnesses.set(this.link, this)
    const { acceptsRemoval: acceptRemoval } = setup
    const { maxInFlightBytes } = network
    this.hub = createHubIn(this.machine, { transport: this.link, acceptRemoval, maxInFlightBytes })
    this.hub.on('status', (status) => this.note(`is ${status}`))
    this.hub.on('error', ({ code }) => this.note(`an error: ${code}`))
  }

  /** How many read its open streams. */
  get readers(): number {
    let count = 0
    for (const { readers } of this.streams.values()) count += readers.size
    return count
  }

  /** Returns a stream, opened if need be; none once the hub is closing. */
  open(name: string): StreamLife | undefined {
    if (this.isClosing || this.machine.isDead) return undefined
    const open = this.streams.get(name)
    if (open !== undefined) return open
    const opened = new StreamLife(this, name, this.setup.streams.get(name) as StreamOptions)
    this.streams.set(name, opened)
    return opened
  }

  heardOn(name: string): Heard {
    const heard = this.#heard.get(name) ?? new Heard(this.network, this.link)
    this.#heard.set(name, heard)
    return heard
  }

  /** Ends a stream by an action: when that returns nobody may be called any more. */
  ends(of: StreamLife, action: () => void): void {
    action()
    this.#finish(of)
  }

  /** The stream was removed or has expired. */
  removed(of: StreamLife, reason: string, isLocal: boolean): void {
    this.note(`${of.name} is ${reason}${isLocal ? '' : ' from elsewhere'}`)
    if (!isLocal) this.#hasRemoved = true
    this.#finish(of)
  }

  /** Closes the hub. Resolves soon after that is done. */
  async close(): Promise<void> {
    this.isClosing = true
    const { time } = this.network.world
    const fromMs = this.machine.trueMs()
    const closing = this.hub.close()
    for (const of of [...this.streams.values()]) this.#finish(of)
    await closing
    const tookMs = time.nowMs - fromMs
    await this.pause(1)
    this.note('has closed')
    this.network.links.delete(this.link)
    this.machine.isDead = true
    const isInTime = tookMs * this.machine.rate <= MOST_CLOSING_MS || this.machine.lastBusyMs > fromMs
    this.check(isInTime, 'close takes a bounded time', () => `it took ${tookMs} ms`)
    const { pendingTimers } = this.machine
    this.check(pendingTimers === 0, 'no timer is left after close', () => `${pendingTimers} run`)
    checkClosed(this)
  }

  /** Flushes, and checks what that promises. */
  flush(): void {
    const before = this.hub.ledger().accepted
    this.openBarriers++
    const done = () => {
      this.openBarriers--
      const { inFlight, accepted } = this.hub.ledger()
      const isSettled = inFlight <= accepted - before
      this.check(isSettled, 'flush waits for what was published', () => `${inFlight} are in flight`)
    }
    this.hub.flush().then(done, () => this.openBarriers--)
  }

  /** Asks when the hub is ready. */
  askReady(): void {
    this.openBarriers++
    const done = () => {
      this.openBarriers--
      this.note('is ready')
    }
    this.hub.ready().then(done, () => this.openBarriers--)
  }

  /** The process is killed. */
  die(): void {
    this.machine.isDead = true
    this.link.die()
    this.network.links.delete(this.link)
    this.note('dies')
  }

  /** A message was accepted here. */
  publishedHere(sid: string): void {
    this.#acceptedMs.set(sid, this.machine.trueMs())
  }

  /** When a message of this hub was accepted, on the true clock. */
  acceptedMs(sid: string): number {
    return this.#acceptedMs.get(sid) ?? this.machine.trueMs()
  }

  /** A subscriber publishes what it got, changed. */
  passOn(of: StreamLife, depth: number, chance: Chance): void {
    const target = chance.isHit(0.5) ? of : chance.pick([...this.streams.values()])
    if (target === undefined || target.stream.closed) return
    target.publish((stream) => stream.publish({ n: this.nextNumber(), depth }))
  }

  nextNumber(): number {
    return this.setup.site * 1e9 + this.#made++ + (this.setup.seed % 1_000) * 1e6
  }

  /** Checks that a message of another hub may be delivered. */
  deliveredFromElsewhere({ name, maxAgeMs }: StreamLife, { sid, data }: Message<Data>): void {
    const sent = this.network.truthOf(sid)
    this.check(!this.#acceptedMs.has(sid), 'nothing own from elsewhere', () => sid)
    if (sent === undefined) return // a stranger's
    const named = this.#handing?.content.named.find((one) => one.sid === sid)
    if (this.#handing === undefined || named === undefined) {
      return this.check(false, 'nothing is delivered that was not received', () => sid)
    }
    const heard = this.heardOn(name)
    this.check(
      sent.n === data.n,
      'data is what was published',
      () => `${sid} has n=${data.n}, not ${String(sent.n)}`,
    )
    this.check(!heard.delivered.has(sid), 'nothing twice', () => `${sid} is delivered again on ${name}`)
    heard.delivered.add(sid)
    const isNext = heard.isNext(named) || !this.setup.isOrdered
    this.check(isNext, 'order where it is claimed', () => `${sid} comes after a later one`)
    this.#checkAge(heard, named, maxAgeMs)
    this.heardFrom?.(sent.link.site, name)
  }

  takes(topic: Topic, content: FrameContent, heldMs: number, hand: () => void): void {
    const name = decodeURIComponent(topic.split('/')[2] as string)
    const heard = this.heardOn(name)
    const handing = { content, heldMs, atMs: this.network.world.time.nowMs }
    const of = this.streams.get(name)
    if (content.isRemoval) this.handedRemovals++
    else this.handedFrames++
    this.handedMessages += content.messages
    this.repeats += heard.hand(handing)
    this.#handing = handing
    this.#hasRemoved = false
    hand()
    this.#handing = undefined
    if (this.#hasRemoved) this.#checkRemoval(heard, handing, of)
    heard.handed(handing, of?.maxAgeMs ?? Number.POSITIVE_INFINITY)
  }

  /** Waits, without a timer of the hub's. */
  pause(ms: number): Promise<void> {
    const { time } = this.network.world
    return new Promise((resolve) => time.at(this.machine.trueMs() + ms, resolve, this.machine))
  }

  note(text: string): void {
    this.network.world.note(this.setup.site, text)
  }

  check(isKept: boolean, law: string, text: () => string): void {
    this.network.world.check(isKept, law, this.setup.site, text)
  }

  #finish(of: StreamLife): void {
    if (this.streams.get(of.name) !== of) return
    this.streams.delete(of.name)
    for (const reader of [...of.readers]) reader.end()
    if (of.hasListened) this.heardOn(of.name).end()
  }

  /** A removal from elsewhere ends one stream only, and no stale one does. */
  #checkRemoval(heard: Heard, { content }: Handing, of: StreamLife | undefined): void {
    const named = content.named[0] as Named
    const isFirst = !heard.delivered.has(named.sid)
    this.check(isFirst, 'a removal ends one stream only', () => named.sid)
    this.check(this.setup.acceptsRemoval, 'a removal is accepted only where it may be', () => named.sid)
    heard.delivered.add(named.sid)
    if (of !== undefined) this.#checkAge(heard, named, of.maxAgeMs)
  }

  #checkAge(heard: Heard, named: Named, maxAgeMs: number): void {
    const sent = this.network.truthOf(named.sid)
    if (sent === undefined || this.#handing === undefined || maxAgeMs === Number.POSITIVE_INFINITY) return
    const why = heard.whyStale(named, sent, this.#handing, maxAgeMs / this.machine.rate)
    this.check(why === undefined, 'nothing stale', () => `${named.sid}: ${why}`)
  }
}
