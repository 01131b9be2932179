import type { Topic, Transport, TransportHost } from 'rivulet'
import { Chance } from './chance.ts'
import { LinkConnection } from './link-connection.ts'
import { forever, noFaults, throwRefusal } from './link-faults.ts'
import type { Machine } from './machine.ts'
import type { HandedFrame, Network } from './network.ts'
import { describe } from './wire.ts'

const LONGEST_DETOURS_MS = [30, 600, 5_000, 20_000, 180_000]
const SENT_AWAY = AbortSignal.abort(new Error('cut'))

/** The transport of one hub: a transport of the memory bus at the end of a link that is slow and fails. */
export class Link implements Transport {
  readonly name = 'simulated'
  readonly machine: Machine
  readonly site: number
  faults = noFaults()
  /** Messages that it took, and that the bus has. */
  sentMessages = 0
  reachedMessages = 0
  readonly bus: Transport
  readonly #network: Network
  readonly #latencyMs: number
  readonly #chance: Chance
  #connection: LinkConnection | undefined

  constructor(network: Network, machine: Machine, site: number, latencyMs: number, seed: number) {
    this.machine = machine
    this.site = site
    this.bus = network.bus.transport()
    this.#network = network
    this.#latencyMs = latencyMs
    this.#chance = new Chance(seed)
  }

  get capabilities(): Transport['capabilities'] {
    return { ...this.bus.capabilities, watch: false }
  }

  /** Topics whose join the hub was told of. */
  get joined(): readonly Topic[] {
    return this.#connection?.confirmed ?? []
  }

  /** Topics that are joined or asked for. */
  get asked(): readonly Topic[] {
    return [...(this.#connection?.joins.keys() ?? [])]
  }

  /** Barriers that the hub waits for, and the bytes that none has covered. */
  get openBarriers(): number {
    return this.#connection?.barriers.length ?? 0
  }

  get inFlightBytes(): number {
    return this.#connection === undefined ? 0 : this.#connection.sentBytes - this.#connection.coveredBytes
  }

  /** For how long there has been no sign of life though a barrier waits for its answer. */
  get silentForMs(): number {
    return this.#connection?.silentForMs(this.#network.world.time.nowMs) ?? 0
  }

  /** For how long a barrier has had no answer. */
  get openBarrierForMs(): number {
    return this.#connection?.openBarrierForMs(this.#network.world.time.nowMs) ?? 0
  }

  async open(host: TransportHost, signal: AbortSignal): Promise<void> {
    const connection = new LinkConnection(this.#network.world.time, this.machine, this.#latencyMs, host)
    this.#connection = connection
    if (this.faults.isFrozen) connection.freeze()
    try {
      await connection.ask(signal, () => this.#openBus(connection, signal))
    } catch (cause) {
      this.#end(connection)
      throw cause
    }
    connection.isUp = true
    this.#note('is connected')
  }

  send(topic: Topic, frame: Uint8Array | string): 'sent' | 'offline' {
    const connection = this.#connection
    if (!connection?.isUp) return 'offline'
    const bytes = typeof frame === 'string' ? encoder.encode(frame) : new Uint8Array(frame)
    if (bytes.length > this.capabilities.maxFrameBytes(topic)) return 'offline'
    const { messages } = this.#network.sent(this, topic, bytes)
    this.sentMessages += messages
    connection.sentBytes += bytes.length
    this.#network.checkInFlight(this, connection.sentBytes - connection.coveredBytes)
    const arrive = () => {
      this.reachedMessages += messages
      this.bus.send(topic, bytes)
    }
    connection.up.pass(arrive, this.machine.trueMs())
    return 'sent'
  }

  async join(topic: Topic, signal: AbortSignal): Promise<void> {
    const connection = this.#openConnection()
    const isTwice = connection.joins.has(topic)
    const text = () => `${topic} is joined already`
    this.#network.world.check(!isTwice, 'at most one join a topic', this.site, text)
    const join = { isConfirmed: false }
    connection.joins.set(topic, join)
    try {
      await connection.ask(signal, () => this.#joinBus(topic, signal))
      join.isConfirmed = true
      this.#note(`has joined ${topic}`)
    } catch (cause) {
      if (connection.joins.get(topic) === join) connection.joins.delete(topic)
      this.#note(`has not joined ${topic}`)
      throw cause
    }
  }

  leave(topic: Topic): void {
    if (this.#connection?.joins.delete(topic)) this.#connection.up.pass(() => this.bus.leave(topic))
  }

  watch(): Promise<void> {
    return Promise.reject(new Error('nobody watches in a simulation'))
  }

  async flush(signal: AbortSignal): Promise<void> {
    const connection = this.#openConnection()
    const bytes = connection.sentBytes
    connection.openBarrierMs ??= this.machine.trueMs()
    const barrier = {}
    connection.barriers.push(barrier)
    const flush = () => (this.faults.hasDeadBarriers ? forever() : this.bus.flush(signal))
    const answered = () => {
      connection.coveredBytes = Math.max(connection.coveredBytes, bytes)
      connection.barrierAnswered(barrier, this.machine.trueMs())
    }
    await connection.ask(signal, flush, answered).finally(() => connection.barrierEnded(barrier))
  }

  async close(signal: AbortSignal): Promise<void> {
    const connection = this.#connection
    if (connection === undefined) return
    connection.isSilent = true
    if (connection.isUp && !signal.aborted) {
      await new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true })
        connection.up.pass(resolve)
      })
    }
    this.#end(connection)
    this.#note('is closed')
  }

  /** Cuts the connection; the hub is told after a while, and sends into the void until then. */
  cut(cause: Error, noticedAfterMs = 0): void {
    const connection = this.#connection
    if (connection === undefined || connection.isSilent || !connection.isUp) return
    connection.cutLanes()
    void this.bus.close(SENT_AWAY)
    this.#note('loses the connection')
    const { time } = this.#network.world
    const notice = () => {
      if (this.#connection !== connection || connection.isSilent) return
      this.#end(connection)
      connection.host.down(cause)
    }
    time.at(time.nowMs + noticedAfterMs, notice, this.machine)
  }

  /** Cuts the connection and tells nobody: the process is dead. */
  die(): void {
    if (this.#connection !== undefined) this.#end(this.#connection)
  }

  /** The broker ends a join, and says so. */
  revoke(topic: Topic): void {
    const connection = this.#connection
    const join = connection?.joins.get(topic)
    if (connection === undefined || !join?.isConfirmed) return
    this.bus.leave(topic)
    this.#note(`${topic} is revoked`)
    connection.down.pass(() => {
      if (connection.isSilent || connection.joins.get(topic) !== join) return
      connection.joins.delete(topic)
      connection.host.left(topic, new Error('revoked'))
    })
  }

  /** The broker reports a fault that leaves the connection up. */
  complain(topic: Topic | undefined, cause: Error): void {
    const connection = this.#connection
    connection?.down.pass(() => connection.isSilent || connection.host.error(topic, cause))
  }

  setFrozen(isFrozen: boolean): void {
    this.faults.isFrozen = isFrozen
    if (isFrozen) this.#connection?.freeze()
    else this.#connection?.thaw()
  }

  async #openBus(connection: LinkConnection, signal: AbortSignal): Promise<void> {
    const { opening } = this.faults
    if (opening === 'stalls') return forever()
    throwRefusal(opening)
    const { hub, error } = connection.host
    const receive = (topic: Topic, frame: Uint8Array | string) =>
      this.#receive(connection, topic, frame as Uint8Array)
    const down = (cause?: Error) => {
      if (connection.isUp) this.cut(cause as Error)
      else connection.cutLanes() // the answer is on its way, and never comes
    }
    await this.bus.open({ hub, error, receive, down, watched() {}, left() {} }, signal)
  }

  async #joinBus(topic: Topic, signal: AbortSignal): Promise<void> {
    if (this.faults.joining === 'stalls') return forever()
    if (this.faults.joining === 'isRefused') throw new Error('not allowed')
    await this.bus.join(topic, signal)
  }

  #receive(connection: LinkConnection, topic: Topic, frame: Uint8Array): void {
    const join = connection.joins.get(topic)
    if (join === undefined) return
    const content = this.#network.frames.read(frame)
    if (this.#network.isBlocked(content, this) || this.#chance.isHit(this.faults.loss)) {
      return this.#note(`does not get ${describe(content)}`)
    }
    const { time } = this.#network.world
    const copies = this.#chance.isHit(this.faults.duplicate) ? 2 : 1
    for (let copy = 0; copy < copies; copy++) {
      const arrivedMs = time.nowMs
      const isDetour = this.#chance.isHit(this.faults.straggle)
      const hand = () => {
        if (connection.isSilent || connection.joins.get(topic) !== join) return
        if (isDetour && this.#network.world.isHealed) return
        const heldMs = isDetour ? 0 : time.nowMs - arrivedMs
        this.#handOver(connection.host, topic, frame, { content, heldMs, join })
      }
      const longestMs = this.#chance.pick(LONGEST_DETOURS_MS)
      if (isDetour) time.at(time.nowMs + this.#chance.between(1, longestMs), hand, this.machine)
      else connection.down.pass(hand)
    }
  }

  #handOver(host: TransportHost, topic: Topic, frame: Uint8Array, about: HandedFrame): void {
    this.#note(`gets ${describe(about.content)}`)
    const handed = new Uint8Array(frame)
    this.#network.handOver(this, topic, about, () => host.receive(topic, handed))
    if (this.#connection !== undefined) this.#connection.heardMs = this.#network.world.time.nowMs
    handed.fill(0xff) // the bytes may be reused
  }

  #openConnection(): LinkConnection {
    if (this.#connection?.isUp) return this.#connection
    throw new Error('the link is not connected')
  }

  #end(connection: LinkConnection): void {
    connection.end()
    if (connection === this.#connection) void this.bus.close(SENT_AWAY)
  }

  #note(text: string): void {
    this.#network.world.note(this.site, text)
  }
}

const encoder = new TextEncoder()
