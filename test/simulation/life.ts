import type { Hub, StreamOptions } from 'rivulet'
import { createHubIn } from 'rivulet/testing'
import type { Chance } from './chance.ts'
import { Intake } from './intake.ts'
import { addUp, checkClosed } from './ledger-laws.ts'
import { Link } from './link.ts'
import { Machine } from './machine.ts'
import type { Network } from './network.ts'
import { StreamLife } from './stream-life.ts'
import { nameIn } from './wire.ts'

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
  /** Whether somebody sends what no hub would. */
  readonly hasIntruders: boolean
}

/** The life of one hub in its process, from its start to its close or death, with all that truly happened to it. */
export class Life {
  readonly setup: LifeSetup
  readonly network: Network
  readonly machine: Machine
  readonly link: Link
  readonly hub: Hub
  readonly intake: Intake
  /** The open ones. */
  readonly streams = new Map<string, StreamLife>()
  /** What the ledger has to say. */
  attempts = 0
  throws = 0
  isClosing = false
  /** Answers of `flush` and `ready` that have not come yet. */
  openBarriers = 0
  /** Signals of what has ended since the last look: nothing listens to them any more. */
  readonly endedSignals: AbortSignal[] = []
  #made = 0

  constructor(network: Network, setup: LifeSetup) {
    const { time } = network.world
    this.setup = setup
    this.network = network
    this.machine = new Machine(time, setup.seed)
    this.link = new Link(network, this.machine, setup.site, setup.latencyMs, setup.seed + 1)
    network.links.add(this.link)
    this.intake = new Intake(this)
    network.witnesses.set(this.link, this.intake)
    const { acceptsRemoval: acceptRemoval } = setup
    const { maxInFlightBytes } = network
    // Often, so that a simulation has many barriers in few hours; what is late is judged by the same.
    const timeouts = { idleMs: 2_000 }
    this.hub = createHubIn(this.machine, { transport: this.link, acceptRemoval, maxInFlightBytes, timeouts })
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

  /** Whether the hub was told that it has joined the topic of a stream. */
  hasJoined(name: string): boolean {
    return this.link.joined.some((topic) => nameIn(topic) === name)
  }

  /** Whether somebody reads the stream that has a topic. */
  isRead(topic: string): boolean {
    return (this.streams.get(nameIn(topic))?.readers.size ?? 0) > 0
  }

  /** Ends a stream by an action: when that returns nobody may be called any more. */
  ends(of: StreamLife, action: () => void): void {
    action()
    this.check(of.hasEnded || this.isClosing, 'a stream ends at once', () => of.name)
  }

  /** The end of a stream was told. */
  ended(of: StreamLife): void {
    this.#finish(of)
  }

  /** The stream was removed or has expired. */
  removed(of: StreamLife, reason: string, isLocal: boolean): void {
    this.note(`${of.name} is ${reason}${isLocal ? '' : ' from elsewhere'}`)
    if (!isLocal) this.intake.removed()
    this.#finish(of)
  }

  /** Closes the hub. Resolves soon after that is done. */
  async close(): Promise<void> {
    this.isClosing = true
    const { time } = this.network.world
    const fromMs = this.machine.trueMs()
    const closing = this.hub.close()
    await closing
    const tookMs = time.nowMs - fromMs
    await this.pause(1)
    this.note('has closed')
    this.network.links.delete(this.link)
    this.machine.isDead = true
    const isInTime = tookMs <= this.machine.longestMs(MOST_CLOSING_MS) || this.machine.lastBusyMs > fromMs
    this.check(isInTime, 'close takes a bounded time', () => `it took ${tookMs} ms`)
    const { pendingTimers } = this.machine
    this.check(pendingTimers === 0, 'no timer is left after close', () => `${pendingTimers} run`)
    this.check(this.streams.size === 0, 'every end is told', () => [...this.streams.keys()].join())
    checkClosed(this)
    addUp(this.network.world.reached, this.hub.ledger())
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
      this.check(this.hub.status === 'up', 'a hub that is ready is up', () => this.hub.status)
    }
    this.hub.ready().then(done, () => this.openBarriers--)
  }

  /** The process is killed. */
  die(): void {
    this.machine.isDead = true
    this.link.die()
    this.network.links.delete(this.link)
    this.note('dies')
    addUp(this.network.world.reached, this.hub.ledger())
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
    if (of.hasListened) this.intake.heardOn(of.name).end()
  }
}
