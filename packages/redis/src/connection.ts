import { ErrorReply } from '@redis/client'
import type { Topic, TransportHost } from 'rivulet'
import { Ending, timeoutsOf } from 'rivulet/adapter'
import type { Client, Dialled } from './dial.ts'
import { faultOf, lossOf, NO_PATTERNS } from './refusal.ts'
import { readRole } from './role.ts'
import { readSlots, type SlotRange } from './slots.ts'

/** Receives the frames of one `join` or `watch`. */
type Listener = (frame: Buffer, channel: Buffer) => void

/** Age of the known role at which a barrier asks again: a master that becomes a replica still accepts frames. */
const ROLE_INTERVAL_MS = 2_000
/** Interval of the client's own pings, in idle intervals of the core; the client pings only after silence. */
const PINGS_APART = 1.5
/** Ping intervals without an answer after which the server counts as gone; the core notices sooner while it waits. */
const MAX_SILENT = 2
const LONGEST_TIMER_MS = 2 ** 31 - 1
/** The reason for a new connection or a new join. */
export const MOVED = 'slots of the cluster have moved'
const MOVED_CHANNEL = 'The channel belongs to another node of the cluster'
const GONE = 'the connection is gone'

/** One connection to one server, from its handshake to its end. Never reconnects. */
export class Connection {
  readonly server: string
  readonly #client: Client
  readonly #host: TransportHost
  readonly #isSharded: boolean
  /** Called when the server answers that a channel belongs to another node of its cluster. */
  readonly #onMoved: () => void
  // Keyed by channel, or by the pattern of a watch, which ends in `*` as no topic does.
  readonly #joins = new Map<string, Listener>()
  /** The last unanswered command of each channel. */
  readonly #commands = new Map<string, Promise<void>>()
  // While true the host may be called. Turns false once, at `down` or at `close`, and stays so.
  #live = true
  // The client never settles a command given after its connection has ended; `Ending` settles it.
  readonly #ending = new Ending()
  /** Bytes of frames not answered by the server. */
  #bufferedBytes = 0
  /** Number of unanswered frames of each topic; only in a cluster with sharded channels. */
  readonly #unanswered = new Map<Topic, number>()
  /** The number of answers that the server owes, and the time since it owes any. */
  #owed = 0
  #owedMs = 0
  readonly #pingMs: number
  #answeredMs = performance.now()
  /** Whether a frame has arrived since the last call of `silentMs`. */
  #hasHeard = false
  /** Time of the last report that the server is a master; absent if it reports no role or cannot become a replica. */
  #masterMs: number | undefined
  /** Whether a ping is unanswered. */
  #isProbing = false
  #pingTimer: NodeJS.Timeout | undefined

  constructor({ server, client, role, isSharded }: Dialled, host: TransportHost, onMoved = () => {}) {
    this.server = server.label
    this.#client = client
    this.#host = host
    this.#isSharded = isSharded
    this.#onMoved = onMoved
    if (role.isMaster) this.#masterMs = this.#answeredMs
    this.#pingMs = PINGS_APART * timeoutsOf(host).idleMs
    // The client emits this at its end, and for bytes outside the Redis protocol, after which it would go on reading.
    client.on('error', (cause) => this.end(cause))
    // The client mistakes some of these for answers to other commands, so its later answers cannot be trusted (6.3).
    // In a microtask: a client that is destroyed while it reads begins to read the same bytes again (6.3).
    client.on('sharded-channel-moved', () => queueMicrotask(() => this.end(new Error(MOVED))))
    this.#pingLater()
  }

  send(topic: Topic, frame: Uint8Array | string): 'sent' | 'offline' {
    if (!this.#live || !this.#client.isReady) return 'offline'
    const bytes =
      typeof frame === 'string' ? frame : Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength)
    const command = this.#isSharded ? 'SPUBLISH' : 'PUBLISH'
    const { length } = frame
    this.#bufferedBytes += length
    if (this.#isSharded) this.#unanswered.set(topic, (this.#unanswered.get(topic) ?? 0) + 1)
    this.#owe()
    this.#client.sendCommand([command, topic, bytes]).then(
      () => this.#frameAnswered(topic, length),
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
    // The name of a hub has `A-Z a-z 0-9 _ -` only, all of which are literal in a pattern.
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

  /** Returns the bytes that have not arrived: the server answers each frame. */
  bufferedBytes(): number {
    return this.#bufferedBytes
  }

  /** Returns the topics with unanswered frames. */
  unanswered(): Iterable<Topic> {
    return this.#unanswered.keys()
  }

  /** Whether the server owes an answer. */
  get isOwing(): boolean {
    return this.#owed > 0
  }

  /** Returns how long the server has owed an answer without sending one, or a frame; 0 while it owes none. */
  silentMs(nowMs: number): number {
    if (this.#hasHeard) this.#answeredMs = nowMs
    this.#hasHeard = false
    return this.#owed === 0 ? 0 : nowMs - Math.max(this.#owedMs, this.#answeredMs)
  }

  /** Restarts `silentMs` at now: this process was suspended, and may not have read the answers. */
  restartSilence(nowMs: number): void {
    this.#answeredMs = nowMs
  }

  /** Pings the server. */
  async ping(): Promise<void> {
    await this.#ask(['PING'])
  }

  /** Asks for the owners of the slots. */
  slots(): Promise<SlotRange[] | undefined> {
    return readSlots((args) => this.#ask(args))
  }

  /** Flushes until `signal` aborts, then drops the connection. Call again to hasten it. */
  async close(signal: AbortSignal): Promise<void> {
    this.#live = false
    await this.#barrier(signal).catch(() => {})
    this.#drop(new Error('the connection was closed'))
  }

  /** Ends the connection and notifies the host, unless it has ended. */
  end(cause: unknown): void {
    const loss = lossOf(cause)
    // Before the pending joins fail of it: the core infers from them which join may have caused the loss.
    if (this.#live) this.#host.down(loss)
    this.#live = false
    this.#drop(loss)
  }

  async #barrier(signal: AbortSignal): Promise<void> {
    const isRoleDue = this.#masterMs !== undefined && performance.now() - this.#masterMs >= ROLE_INTERVAL_MS
    await this.#wait(() => (isRoleDue ? this.#checkRole() : this.ping()), signal)
  }

  /** Checks that the server is still a master: a replica silently delivers messages to its own subscribers only. */
  async #checkRole(): Promise<void> {
    const { isMaster, isReplica } = await readRole((args) => this.#ask(args))
    this.#masterMs = isMaster ? performance.now() : undefined
    if (!isReplica) return
    const cause = new Error('the server has become a replica')
    this.end(cause)
    throw cause
  }

  /** Begins a join or a watch. `errorTopic`: the topic to report with a fault. */
  #begin(name: string, errorTopic: Topic | undefined, take: Listener): Listener {
    if (!this.#live) throw new Error(GONE)
    const listener: Listener = (frame, channel) => {
      if (!this.#live || this.#joins.get(name) !== listener) return
      this.#hasHeard = true
      try {
        take(frame, channel)
      } catch (cause) {
        // An exception here would lose the rest of the bytes read with this frame (client 6.3).
        this.#host.error(errorTopic, faultOf('A frame from Redis was not taken', cause))
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
      this.#leave(name, listener)
      if (!isMoved(cause)) throw cause
      this.#onMoved()
      throw lossOf(cause, MOVED_CHANNEL)
    }
  }

  /** Ends a join, unless it has ended. */
  #leave(name: string, listener: Listener | undefined): void {
    if (listener === undefined || this.#joins.get(name) !== listener) return
    this.#joins.delete(name)
    if (this.#live) this.#inTurn(name, () => this.#unsubscribe(name, listener)).catch(() => {})
  }

  /**
   * Gives a channel's commands to the client one after the other. When a channel is subscribed to again between the
   * answers to SUBSCRIBE and UNSUBSCRIBE the client applies the wrong answer, and drops its messages from then on (6.3).
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

  /** Reports a rejected publish. The core counts those that only lost their connection. */
  #rejected(topic: Topic, cause: unknown, bytes: number): void {
    this.#frameAnswered(topic, bytes)
    if (!this.#live || !(cause instanceof ErrorReply)) return
    this.#host.error(
      topic,
      isMoved(cause) ? lossOf(cause, MOVED_CHANNEL) : faultOf('Redis refused a frame', cause),
    )
    if (isMoved(cause)) this.#onMoved()
  }

  #frameAnswered(topic: Topic, bytes: number): void {
    this.#bufferedBytes -= bytes
    this.#answered()
    if (!this.#isSharded) return
    const frames = this.#unanswered.get(topic) ?? 0
    if (frames > 1) this.#unanswered.set(topic, frames - 1)
    else this.#unanswered.delete(topic)
  }

  /** Sends a command, and resolves to its answer. */
  async #ask(args: string[]): Promise<unknown> {
    this.#owe()
    try {
      return await this.#client.sendCommand(args)
    } finally {
      this.#answered()
    }
  }

  /** Records that a command was sent. */
  #owe(): void {
    if (this.#owed++ > 0) return
    this.#owedMs = performance.now()
    this.#hasHeard = false
  }

  /** Records that a command was answered. */
  #answered(): void {
    this.#owed -= 1
    this.#answeredMs = performance.now()
  }

  #pingLater(): void {
    this.#pingTimer = setTimeout(() => this.#pingIfSilent(), Math.min(this.#pingMs, LONGEST_TIMER_MS))
  }

  #pingIfSilent(): void {
    const silentMs = performance.now() - this.#answeredMs
    if (silentMs >= MAX_SILENT * this.#pingMs) return this.end(new Error('the server does not answer'))
    this.#pingLater()
    if (this.#isProbing || silentMs < this.#pingMs / 2) return
    this.#isProbing = true
    const answered = () => {
      this.#isProbing = false
    }
    this.ping().then(answered, (cause) => this.end(cause))
  }

  /** Ends the connection without waiting for unsent frames. */
  #drop(cause: Error): void {
    clearTimeout(this.#pingTimer)
    // First: the client would reject the waiting commands without a reason.
    this.#ending.end(cause)
    this.#client.destroy()
  }

  /** Settles like `begin`, or rejects when `signal` aborts or the connection ends. */
  async #wait(begin: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    await this.#ending.race(begin, signal)
  }
}

/** Returns whether the channel belongs to another node now, so that the known slots are out of date. */
function isMoved(cause: unknown): boolean {
  return cause instanceof ErrorReply && cause.message.startsWith('MOVED')
}
