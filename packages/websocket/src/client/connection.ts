import { RivuletError, type Topic, type TransportHost } from 'rivulet'
import {
  CLOSE,
  decode,
  encodeNumbered,
  encodeText,
  encodeTopical,
  type HelloMessage,
  KIND,
  MAX_PAGE_FRAME_BYTES,
  objectOf,
  PREFIX,
  PROTOCOL_VERSION,
  type ProtocolMessage,
  textOf,
  type WelcomeMessage,
} from '../base/protocol.ts'
import { Answers } from './answers.ts'
import { endOf, foreign, lost, NO_CONNECTION, NORMAL_CLOSURE, refusedForNow, terminate } from './endings.ts'
import type { ResolvedOptions, WebSocketLike } from './options.ts'
import { askToken, Renewal } from './renewal.ts'
import { Silence } from './silence.ts'
import { untilAborted } from './until-aborted.ts'

const encoder = new TextEncoder()
const isPrefix = (text: unknown) => typeof text === 'string' && PREFIX.test(text)

/** One connection to a server, from its dial to its end. Never reconnects. */
export class Connection {
  readonly #url: string
  readonly #options: ResolvedOptions
  readonly #host: TransportHost
  readonly #answers = new Answers()
  readonly #joined = new Set<Topic>()
  readonly #silence = new Silence(() => this.#end(lost('the server was silent for 6 seconds')))
  readonly #renewal: Renewal
  /** `closing` hands over what was sent; the host is called only while `up`. */
  #state: 'opening' | 'up' | 'closing' | 'ended' = 'opening'
  #socket: WebSocketLike | undefined
  #welcome: WelcomeMessage | undefined
  #isRefused = false
  #welcomed: () => void = () => {}
  /** Aborted at the end, with the reason. */
  readonly #life = new AbortController()
  /** Resolved when the socket is closed on the wire too. */
  readonly #closed: Promise<void>
  #onClosed: () => void = () => {}

  /** Use `open` once. */
  constructor(url: string, options: ResolvedOptions, host: TransportHost) {
    this.#url = url
    this.#options = options
    this.#host = host
    this.#closed = new Promise((resolve) => {
      this.#onClosed = resolve
    })
    this.#renewal = new Renewal(
      () => askToken(options.token),
      (token) => this.#send(encodeText(KIND.token, token)),
      (cause) => this.#report(undefined, 'No new token', cause),
    )
  }

  /** The server's first message; absent until then. */
  get welcome(): WelcomeMessage | undefined {
    return this.#welcome
  }

  /** Whether the server refused a token that the page's option gave. */
  get isRefused(): boolean {
    return this.#isRefused
  }

  /** Dials, and resolves when the server has welcomed the page. `secret`: see `HelloMessage`. */
  async open(secret: string, signal: AbortSignal): Promise<void> {
    const giveUp = () => this.#end(signal.reason)
    signal.addEventListener('abort', giveUp)
    try {
      const token = await untilAborted(this.#renewal.firstToken(), this.#life.signal)
      this.#life.signal.throwIfAborted() // it may end in just this moment
      const hello: HelloMessage = {
        version: PROTOCOL_VERSION,
        hub: this.#host.hub,
        secret,
        token,
        progress: true,
      }
      await untilAborted(this.#dial(encodeText(KIND.hello, JSON.stringify(hello))), this.#life.signal)
    } catch (cause) {
      this.#end(cause)
      throw cause
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
  }

  send(topic: Topic, frame: Uint8Array | string): 'sent' | 'offline' {
    const socket = this.#socket
    if (this.#state !== 'up' || socket === undefined) return 'offline'
    const bytes = typeof frame === 'string' ? encoder.encode(frame) : frame
    if (bytes.length > (this.#welcome?.maxFrameBytes ?? 0)) return 'offline'
    if (socket.bufferedAmount + bytes.length > this.#options.maxBufferedBytes) return 'offline'
    return this.#send(encodeTopical(KIND.frame, topic, bytes)) ? 'sent' : 'offline'
  }

  async join(topic: Topic, signal: AbortSignal): Promise<void> {
    if (this.#state !== 'up') throw new Error('not connected')
    try {
      await this.#answers.ask(topic, signal, (id) => this.#send(encodeNumbered(KIND.join, id, topic)))
    } catch (cause) {
      if (signal.aborted) this.leave(topic)
      throw cause
    }
  }

  leave(topic: Topic): void {
    this.#joined.delete(topic)
    this.#answers.drop(topic, new Error('left before the join was confirmed'))
    this.#send(encodeTopical(KIND.leave, topic))
  }

  flush(signal: AbortSignal): Promise<void> {
    if (this.#state !== 'up') return Promise.reject(new Error('not connected'))
    return this.#barrier(signal)
  }

  bufferedBytes(): number {
    return this.#socket?.bufferedAmount ?? 0
  }

  /** Hands over what was sent until `signal` aborts, then drops the connection. May be called again to hasten it. */
  async close(signal: AbortSignal): Promise<void> {
    const wasUp = this.#state === 'up'
    if (wasUp) this.#state = 'closing'
    if (wasUp || this.#state === 'closing') await this.#barrier(signal).catch(() => {})
    this.#end(new Error('closed'), NORMAL_CLOSURE)
    if (this.#socket === undefined) return
    const aborted = new Promise<void>((resolve) => {
      if (signal.aborted) resolve()
      else signal.addEventListener('abort', () => resolve())
    })
    await Promise.race([this.#closed, aborted])
    terminate(this.#socket)
  }

  #barrier(signal: AbortSignal): Promise<void> {
    return this.#answers.ask(undefined, signal, (id) => this.#send(encodeNumbered(KIND.barrier, id)))
  }

  /** Resolves when the server has welcomed the page. */
  #dial(hello: Uint8Array<ArrayBuffer>): Promise<void> {
    const socket = new this.#options.WebSocket(this.#url)
    this.#socket = socket
    socket.binaryType = 'arraybuffer'
    socket.onopen = () => this.#send(hello)
    // Some runtimes tell of a dial that failed by this event alone (Node's undici 5). A browser says no reason.
    socket.onerror = (event: { message?: string }) => this.#socketEnded(NO_CONNECTION, event.message)
    socket.onmessage = (event: { data: unknown }) => this.#hear(event.data)
    socket.onclose = (event: { code: number; reason: string }) => this.#socketEnded(event.code, event.reason)
    return new Promise((resolve) => {
      this.#welcomed = resolve
    })
  }

  #socketEnded(code: number, reason: string | undefined): void {
    this.#onClosed()
    const cause = endOf(code, reason)
    this.#isRefused = code === CLOSE.refused && this.#options.token !== undefined
    // One that stood has shown a good token before: the first attempts that follow tell.
    this.#end(this.#isRefused && this.#state === 'up' ? refusedForNow(cause) : cause)
  }

  #hear(data: unknown): void {
    if (this.#state === 'ended') return
    if (this.#state !== 'opening' && this.#silence.isTooLong) return this.#end(lost('the page stood still'))
    this.#silence.heard()
    const message = data instanceof ArrayBuffer ? decode(new Uint8Array(data)) : undefined
    if (message === undefined || !this.#take(message)) this.#end(foreign(), CLOSE.protocol)
  }

  /** Takes a message, and returns whether it is valid. */
  #take({ kind, id, topic, rest }: ProtocolMessage): boolean {
    const text = () => textOf(rest) ?? ''
    if (this.#state === 'opening') return kind === KIND.welcome && this.#enter(objectOf(rest))
    if (kind === KIND.frame) this.#receive(topic as Topic, rest)
    else if (kind === KIND.ping) this.#send(encodeText(KIND.pong))
    else if (kind === KIND.barrier) this.#answers.confirm(id)
    else if (kind === KIND.joined) {
      const joined = this.#answers.confirm(id)
      if (joined !== undefined) this.#joined.add(joined)
    } else if (kind === KIND.refused) this.#answers.refuse(id, new Error(text()))
    else if (kind === KIND.left) this.#left(topic as Topic, text())
    else if (kind === KIND.renewed) this.#renewal.schedule(objectOf(rest).expiresInMs)
    else if (kind === KIND.progress) this.#progress(objectOf(rest).congested === true)
    else if (kind === KIND.fault) this.#report(topic as Topic, text())
    else return false
    return true
  }

  #enter(said: Record<string, unknown>): boolean {
    const { version, maxFrameBytes: most, ordered, prefixes, expiresInMs } = said
    if (version !== PROTOCOL_VERSION || typeof most !== 'number' || !(most >= 1)) return false
    if (!Array.isArray(prefixes) || !prefixes.every(isPrefix)) return false
    const maxFrameBytes = Math.min(most, MAX_PAGE_FRAME_BYTES)
    this.#welcome = { version, maxFrameBytes, ordered: ordered === true, prefixes }
    this.#state = 'up'
    this.#silence.start()
    this.#renewal.schedule(expiresInMs)
    this.#welcomed()
    return true
  }

  #receive(topic: Topic, frame: Uint8Array): void {
    if (this.#state !== 'up' || !this.#joined.has(topic)) return
    try {
      this.#host.receive(topic, frame)
    } catch (cause) {
      this.#report(topic, 'A frame was not taken', cause)
    }
  }

  #left(topic: Topic, reason: string): void {
    if (this.#joined.delete(topic) && this.#state === 'up') this.#host.left(topic, new Error(reason))
  }

  #progress(isCongested: boolean): void {
    if (this.#state === 'up') this.#host.progress?.(isCongested)
  }

  #report(topic: Topic | undefined, what: string, cause?: unknown): void {
    if (this.#state !== 'up') return
    const reason = cause instanceof Error ? `: ${cause.message}` : ''
    this.#host.error(topic || undefined, new RivuletError('TRANSPORT_FAILED', what + reason, { cause }))
  }

  #send(bytes: Uint8Array<ArrayBuffer>): boolean {
    try {
      if (this.#socket?.readyState !== 1) return false
      this.#socket.send(bytes)
      return true
    } catch {
      return false
    }
  }

  /** Ends the connection for whatever reason: tells the host alone, if it was up. */
  #end(cause: unknown, code?: number): void {
    if (this.#state === 'ended') return
    const wasUp = this.#state === 'up'
    this.#state = 'ended'
    this.#silence.stop()
    this.#renewal.stop()
    this.#life.abort(cause)
    this.#answers.end(cause)
    this.#joined.clear()
    if (this.#socket === undefined) this.#onClosed()
    else if (code === undefined) terminate(this.#socket)
    else this.#socket.close(code)
    if (wasUp) this.#host.down(cause as Error)
  }
}
