import { ErrorReply } from '@redis/client'
import type { Topic, TransportHost } from 'rivulet'
import { timeoutsOf } from 'rivulet/transport'
import type { Client, Dialled } from './dial.ts'
import { faultOf, lossOf, NO_PATTERNS } from './refusal.ts'
import { readSlots, type SlotRange } from './slots.ts'

/** Takes what comes of one `join` or `watch`. */
type Listener = (frame: Buffer, channel: Buffer) => void

/** In a cluster of sharded channels the client asks for the slots so often: a move is not always told. */
const SLOTS_INTERVAL_MS = 2_000
/** How many idle intervals of the core lie between two of the client's own pings, which come only after silence. */
const PINGS_APART = 1.5
/** So many of these without any answer mean that the server is gone; the core notices sooner while it waits for one. */
const MAX_SILENT = 2
const LONGEST_TIMER_MS = 2 ** 31 - 1
const GONE = 'the connection is gone'

/** One connection to one server, from its handshake to its end. Never reconnects. */
export class Connection {
  readonly server: string
  readonly #client: Client
  readonly #host: TransportHost
  readonly #isSharded: boolean
  readonly #ranges: readonly SlotRange[] | undefined
  // By channel, and by the pattern of a watch, which ends in `*` as no topic does.
  readonly #joins = new Map<string, Listener>()
  /** The last command of each channel that is not answered yet. */
  readonly #commands = new Map<string, Promise<void>>()
  // While true the host may be called. Turns false once, at `down` or at `close`, and stays so.
  #live = true
  // The client never settles a command given to it after its connection has ended; the end does, here.
  readonly #waits = new Set<(cause: unknown) => void>()
  /** Bytes of frames that the server has not answered. */
  #heldBytes = 0
  readonly #silentMs: number
  #answeredMs = performance.now()
  /** Whether the server was asked for a sign of life, or its slots, and has not answered. */
  #isProbing = false
  #pingTimer: NodeJS.Timeout | undefined

  constructor({ server, client, ranges, isSharded }: Dialled, host: TransportHost) {
    this.server = server.label
    this.#client = client
    this.#host = host
    this.#isSharded = isSharded
    this.#ranges = ranges
    this.#silentMs = PINGS_APART * timeoutsOf(host).idleMs
    // The client tells of its end, and of bytes that are no Redis protocol, after which it would go on reading.
    client.on('error', (cause) => this.#end(cause))
    // Later: a client that is destroyed while it reads begins to read the same bytes again (6.3).
    const onMoved = () => queueMicrotask(() => this.#end(new Error('slots of the cluster have moved')))
    client.on('sharded-channel-moved', onMoved)
    this.#pingLater()
  }

  send(topic: Topic, frame: Uint8Array | string): 'sent' | 'offline' {
    if (!this.#live || !this.#client.isReady) return 'offline'
    const bytes =
      typeof frame === 'string' ? frame : Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength)
    const command = this.#isSharded ? 'SPUBLISH' : 'PUBLISH'
    const { length } = frame
    this.#heldBytes += length
    this.#client.sendCommand([command, topic, bytes]).then(
      () => this.#answered(length),
      (cause) => this.#rejected(topic, cause, length),
    )
    return 'sent'
  }

  async join(topic: Topic, signal: AbortSignal): Promise<void> {
    const listener = this.#begin(topic, topic, (frame) => this.#host.receive(topic, frame))
    await this.#confirm(topic, listener, signal)
  }

  async watch(hub: string, signal: AbortSignal): Promise<void> {
    if (this.#isSharded) throw new Error(NO_PATTERNS)
    // The name of a hub has `A-Z a-z 0-9 _ -` only, all of which stand for themselves in a pattern.
    const pattern = `rivulet/${hub}/*`
    const take: Listener = (frame, channel) => this.#host.watched(channel.toString(), frame)
    const listener = this.#begin(pattern, undefined, take)
    signal.addEventListener('abort', () => this.#leave(pattern, listener))
    await this.#confirm(pattern, listener, signal)
  }

  leave(topic: Topic): void {
    this.#leave(topic, this.#joins.get(topic))
  }

  flush(signal: AbortSignal): Promise<void> {
    return this.#live ? this.#barrier(signal) : Promise.reject(new Error(GONE))
  }

  /** Each frame has an answer of its own, so these are bytes that have not arrived. */
  heldBytes(): number {
    return this.#heldBytes
  }

  /** Flushes until `signal` aborts, then drops the connection. May be called again to hasten it. */
  async close(signal: AbortSignal): Promise<void> {
    this.#live = false
    await this.#barrier(signal).catch(() => {})
    this.#drop(new Error('the connection was closed'))
  }

  async #barrier(signal: AbortSignal): Promise<void> {
    await this.#wait(() => this.#client.sendCommand(['PING']), signal)
    this.#answered(0)
  }

  /** `told` is the topic that the host is told with a fault. */
  #begin(name: string, told: Topic | undefined, take: Listener): Listener {
    if (!this.#live) throw new Error(GONE)
    const listener: Listener = (frame, channel) => {
      if (!this.#live || this.#joins.get(name) !== listener) return
      try {
        take(frame, channel)
      } catch (cause) {
        // What is thrown here would lose the rest of what came with it (client 6.3).
        this.#host.error(told, faultOf('A frame from Redis was not taken', cause))
      }
    }
    this.#joins.set(name, listener)
    return listener
  }

  async #confirm(name: string, listener: Listener, signal: AbortSignal): Promise<void> {
    try {
      await this.#wait(() => this.#inTurn(name, () => this.#subscribe(name, listener)), signal)
      if (this.#joins.get(name) !== listener) throw new Error('left before the join was confirmed')
    } catch (cause) {
      if (isMoved(cause)) this.#end(cause)
      this.#leave(name, listener)
      throw cause
    }
  }

  /** Ends a join, unless it has ended. */
  #leave(name: string, listener: Listener | undefined): void {
    if (listener === undefined || this.#joins.get(name) !== listener) return
    this.#joins.delete(name)
    if (this.#live) this.#inTurn(name, () => this.#unsubscribe(name, listener)).catch(() => {})
  }

  /**
   * Gives a channel's commands to the client one after the other. Of one that is subscribed to again between the answers
   * to SUBSCRIBE and UNSUBSCRIBE the client takes the first answer to hold, and is deaf to it from then on (6.3).
   */
  async #inTurn(name: string, command: () => Promise<void>): Promise<void> {
    const last = this.#commands.get(name)
    const turn = last === undefined ? command() : last.then(command, command)
    this.#commands.set(name, turn)
    try {
      await turn
    } finally {
      if (this.#commands.get(name) === turn) this.#commands.delete(name)
    }
  }

  #subscribe(name: string, listener: Listener): Promise<void> {
    if (name.endsWith('*')) return this.#client.pSubscribe(name, listener, true)
    if (this.#isSharded) return this.#client.sSubscribe(name, listener, true)
    return this.#client.subscribe(name, listener, true)
  }

  #unsubscribe(name: string, listener: Listener): Promise<void> {
    if (name.endsWith('*')) return this.#client.pUnsubscribe(name, listener, true)
    if (this.#isSharded) return this.#client.sUnsubscribe(name, listener, true)
    return this.#client.unsubscribe(name, listener, true)
  }

  /** A publish that was rejected. One that only lost its connection is the core's to count. */
  #rejected(topic: Topic, cause: unknown, bytes: number): void {
    this.#answered(bytes)
    if (isMoved(cause)) return this.#end(cause)
    if (!this.#live || !(cause instanceof ErrorReply)) return
    this.#host.error(topic, faultOf('Redis refused a frame', cause))
  }

  /** The server has answered something. */
  #answered(bytes: number): void {
    this.#heldBytes -= bytes
    this.#answeredMs = performance.now()
  }

  #pingLater(): void {
    const intervalMs =
      this.#ranges === undefined ? this.#silentMs : Math.min(SLOTS_INTERVAL_MS, this.#silentMs)
    this.#pingTimer = setTimeout(() => this.#ping(), Math.min(intervalMs, LONGEST_TIMER_MS))
  }

  #ping(): void {
    const silentMs = performance.now() - this.#answeredMs
    if (silentMs >= MAX_SILENT * this.#silentMs) return this.#end(new Error('the server does not answer'))
    this.#pingLater()
    if (this.#isProbing || (this.#ranges === undefined && silentMs < this.#silentMs / 2)) return
    this.#isProbing = true
    const answered = () => {
      this.#isProbing = false
      this.#answered(0)
    }
    this.#probe().then(answered, (cause) => this.#end(cause))
  }

  /** Asks for a sign of life, in a cluster of sharded channels by asking for its slots: a move is not always told. */
  async #probe(): Promise<void> {
    if (this.#ranges === undefined) return void (await this.#client.sendCommand(['PING']))
    const ranges = await readSlots((args) => this.#client.sendCommand(args))
    if (JSON.stringify(ranges) !== JSON.stringify(this.#ranges))
      throw new Error('slots of the cluster have moved')
  }

  #end(cause: unknown): void {
    const loss = lossOf(cause)
    // Before the joins under way fail of it: the core tells from them which one may have cost the connection.
    if (this.#live) this.#host.down(loss)
    this.#live = false
    this.#drop(loss)
  }

  /** Ends the connection with whatever has not got through yet. */
  #drop(cause: Error): void {
    clearTimeout(this.#pingTimer)
    // First: the client would give them no reason.
    for (const fail of this.#waits) fail(cause)
    this.#client.destroy()
  }

  /** Settles like `begin`, or rejects when `signal` aborts or the connection ends. Leaves no listener behind. */
  async #wait(begin: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    let fail = (_cause: unknown) => {}
    const failed = new Promise<never>((_resolve, reject) => {
      fail = reject
    })
    const abort = () => fail(signal.reason)
    signal.addEventListener('abort', abort)
    this.#waits.add(fail)
    await Promise.race([begin(), failed]).finally(() => {
      signal.removeEventListener('abort', abort)
      this.#waits.delete(fail)
    })
  }
}

/** The channel belongs to another node by now, so all that is known of the slots is out of date. */
function isMoved(cause: unknown): boolean {
  return cause instanceof ErrorReply && cause.message.startsWith('MOVED')
}
