import type { Topic } from 'rivulet'
import { LeakyBucket } from 'rivulet/transport'
import {
  CLOSE,
  decode,
  encodeNumbered,
  encodeText,
  encodeTopical,
  KIND,
  MAX_PAGE_FRAME_BYTES,
  PROTOCOL_VERSION,
  type ProtocolMessage,
  SILENCE_MS,
  textOf,
} from '../protocol.ts'
import { type Hello, readHello } from './hello.ts'
import type { Limits, MutableCounts } from './limits.ts'
import { PageFrames } from './page-frames.ts'
import type { PageGroup } from './page-group.ts'
import { readPageTopic } from './page-topic.ts'
import type { PrefixHolder } from './prefixes.ts'
import type { PageHandler, PageHello, PageRefusal, PageSession, PageSocket } from './session.ts'

/** Who has not been let in yet may send so much, and take so long. */
const MAX_STRANGER_BYTES = 12 * 1024
const STRANGER_MS = 10_000
/** The largest message: a frame as large as the core takes one, and the longest topic. */
const MAX_MESSAGE_BYTES = 323 * 1024
/** So much more may wait for a page than frames fill: answers need little room. */
const ANSWERS_BYTES = 65_536
/** Joins, leaves and barriers a second; twice the most joins may come at once. */
const REQUESTS_PER_SECOND = 200
/** Frames a second that are refused before the page has to go; a second's worth more may come at once. */
const REFUSED_PER_SECOND = 1_000
/** A page is told of refused frames so often. */
const FAULTS_PER_SECOND = 3
/** Tokens that a page may send: three at once, then one in ten seconds. */
const TOKENS_PER_SECOND = 0.1
const TOKENS_AT_ONCE = 3
/** How long a page may take to close. */
const CLOSING_MS = 2_000
/** The longest topic is the hardest to carry: what passes there passes everywhere. */
const LONGEST_TOPIC = `rivulet/${'h'.repeat(64)}/${'%FF'.repeat(960)}` as Topic

/** What a page needs of its server. */
export interface PageServer {
  readonly limits: Limits
  readonly counts: MutableCounts
  authenticate(hello: PageHello, current: PageSession | undefined): Promise<PageSession | PageRefusal>
  groupOf(session: PageSession): PageGroup
  /** Gives the proof that a prefix is the page's. */
  prove(session: PageSession, hub: string, prefix: string): Promise<string>
  /** Gives those prefixes whose proofs are good. */
  provenOf(session: PageSession, hello: Hello): Promise<ReadonlySet<string>>
  /** A page was let in. */
  entered(): void
  /** A page has ended, with its session if it had one. */
  ended(session: PageSession | undefined, code: number, reason: string, fault?: unknown): void
}

/** One connection of a page, from its hello to its end. */
export class Page implements PageHandler, PrefixHolder {
  readonly #socket: PageSocket
  readonly #server: PageServer
  /** `checking` its token, then `waiting` until frames pass, then `in`. */
  #state: 'new' | 'checking' | 'waiting' | 'in' | 'ended' = 'new'
  #session: PageSession | undefined
  #hello: Hello | undefined
  #group: PageGroup | undefined
  #frames: PageFrames | undefined
  readonly #joins = new Map<Topic, { id: number; isJoined: boolean }>()
  #isRenewing = false
  /** When it was last heard, and when it was accepted or ended. */
  #heardAtMs = performance.now()
  #sinceMs = performance.now()
  readonly #requests: LeakyBucket
  readonly #refused = new LeakyBucket(REFUSED_PER_SECOND, 2 * REFUSED_PER_SECOND)
  readonly #faults = new LeakyBucket(FAULTS_PER_SECOND, FAULTS_PER_SECOND)
  readonly #tokens = new LeakyBucket(TOKENS_PER_SECOND, TOKENS_AT_ONCE)

  constructor(socket: PageSocket, server: PageServer) {
    this.#socket = socket
    this.#server = server
    const { maxJoinsPerPage } = server.limits
    this.#requests = new LeakyBucket(REQUESTS_PER_SECOND, 2 * maxJoinsPerPage + REQUESTS_PER_SECOND)
  }

  get isKnown(): boolean {
    return this.#session !== undefined
  }

  get session(): PageSession | undefined {
    return this.#session
  }

  get identity(): string {
    return this.#session?.identity ?? ''
  }

  get isTrusted(): boolean {
    return this.#session?.isTrusted === true
  }

  receive(message: Uint8Array | string): void {
    if (this.#state === 'ended') return
    this.#heardAtMs = performance.now()
    try {
      const fault = this.#take(message)
      if (fault !== undefined) this.end(CLOSE.protocol, fault)
    } catch (cause) {
      this.end(CLOSE.later, 'the server failed', cause)
    }
  }

  closed(): void {
    this.end(CLOSE.later, 'the page went away')
  }

  /** Looks after the page every few seconds. Returns whether it still needs that. */
  tick(nowMs: number, ping: Uint8Array): boolean {
    if (this.#state === 'ended') {
      if (nowMs - this.#sinceMs < CLOSING_MS) return true
      this.#socket.terminate()
      return false
    }
    if (this.#state !== 'in') {
      if (nowMs - this.#sinceMs >= STRANGER_MS) this.end(CLOSE.later, 'not let in within 10 seconds')
    } else if (nowMs - this.#heardAtMs >= SILENCE_MS) this.#drop('the page was silent for 6 seconds')
    else if (!this.#isExpired()) this.#answer(ping)
    return true
  }

  /** Ends the connection; called again it does nothing. */
  end(code: number, reason: string, fault?: unknown): void {
    if (this.#state === 'ended') return
    const wasIn = this.#state === 'in'
    this.#state = 'ended'
    this.#sinceMs = performance.now()
    this.#socket.close(code, cut(reason))
    for (const topic of this.#joins.keys()) this.#group?.leave(topic, this)
    if (wasIn) {
      this.#server.counts.pages--
      this.#server.counts.joins -= this.#joins.size
    }
    this.#joins.clear()
    this.#frames?.release()
    this.#group?.exit(this)
    this.#session?.ended?.()
    this.#server.ended(this.#session, code, reason, fault)
  }

  takenOver(): void {
    this.end(CLOSE.takenOver, 'another connection of the same page took over')
  }

  /** Frames pass from now on. */
  opened(): void {
    if (this.#state !== 'waiting' || this.#group === undefined) return
    const { maxFrameBytes, ordered } = this.#group.port.capabilities
    const most = Math.max(1, Math.min(MAX_PAGE_FRAME_BYTES, maxFrameBytes(LONGEST_TOPIC)))
    this.#state = 'in'
    this.#server.counts.pages++
    this.#server.entered()
    const said = { version: PROTOCOL_VERSION, maxFrameBytes: most, ordered, expiresInMs: this.#expiresInMs() }
    this.#answer(encodeText(KIND.welcome, JSON.stringify(said)))
  }

  /** Frames pass no more. One that waits goes on waiting, unless the server ends. */
  relayEnded(reason: 'away' | 'closed'): void {
    if (reason === 'closed') this.end(CLOSE.restart, 'the server closes')
    else if (this.#state === 'in') this.end(CLOSE.away, 'the transport upstream is away')
  }

  joined(topic: Topic): void {
    const join = this.#joins.get(topic)
    if (join === undefined) return
    join.isJoined = true
    this.#answer(encodeNumbered(KIND.joined, join.id))
  }

  refused(topic: Topic, cause: Error): void {
    const join = this.#forget(topic)
    if (join !== undefined) this.#answer(encodeNumbered(KIND.refused, join.id, cause.message))
  }

  left(topic: Topic, cause: Error): void {
    if (this.#forget(topic)) this.#answer(encodeTopical(KIND.left, topic, cause.message))
  }

  /** Hands over a frame, if there is room for it. */
  give(frame: Uint8Array): void {
    const { limits, counts } = this.#server
    if (this.#socket.bufferedBytes + frame.length > limits.maxWaitingBytes) counts.dropped++
    else {
      counts.sent++
      this.#socket.send(frame)
    }
  }

  /** Takes a message, or says what is wrong with it: then the connection ends for good. */
  #take(message: Uint8Array | string): string | undefined {
    if (typeof message === 'string') return 'a text message'
    const isStranger = this.#state !== 'in'
    if (message.length > (isStranger ? MAX_STRANGER_BYTES : MAX_MESSAGE_BYTES))
      return 'a message that is too large'
    const read = decode(message)
    if (read === undefined) return 'a malformed message'
    if (this.#state === 'new') return this.#greet(read)
    if (isStranger) return 'a message before the welcome'
    if (this.#isExpired()) return undefined
    if (read.kind === KIND.frame) return this.#frame(read)
    if (read.kind === KIND.pong) return undefined
    if (!this.isTrusted && !this.#requests.take(performance.now())) {
      this.end(CLOSE.later, 'too many requests')
      return undefined
    }
    return this.#request(read)
  }

  #request({ kind, id, topic, rest }: ProtocolMessage): string | undefined {
    if (kind === KIND.join) return this.#join(id, textOf(rest) ?? '')
    if (kind === KIND.leave) return this.#leave(topic as Topic)
    if (kind === KIND.token) return this.#renew(textOf(rest) ?? '')
    if (kind !== KIND.barrier) return 'a message that only the server sends, or a second hello'
    const answer = encodeNumbered(KIND.barrier, id)
    this.#group?.port.barrier(() => this.#answer(answer))
    return undefined
  }

  #greet({ kind, rest }: ProtocolMessage): string | undefined {
    const hello = kind === KIND.hello ? readHello(rest) : 'the first message is no hello'
    if (typeof hello === 'string') return hello
    this.#hello = hello
    this.#state = 'checking'
    this.#authenticate(hello, hello.token, async (session) => {
      const proven = await this.#server.provenOf(session, hello)
      if (this.#state === 'ended') return session.ended?.()
      this.#session = session
      this.#state = 'waiting'
      const group = this.#server.groupOf(session)
      this.#group = group
      const { limits } = this.#server
      const bound = (prefix: string) => void this.#prove(prefix)
      this.#frames = new PageFrames(hello.hub, proven, limits, group.port, this, bound)
      group.enter(this)
    })
    return undefined
  }

  #renew(token: string): undefined {
    const hello = this.#hello
    if (hello === undefined) return
    if (this.#isRenewing || !this.#tokens.take(performance.now())) {
      return this.end(CLOSE.later, 'too many tokens') as undefined
    }
    this.#isRenewing = true
    this.#authenticate(hello, token, (session) => {
      this.#isRenewing = false
      const old = this.#session
      if (this.#state === 'ended' || old === undefined) return session.ended?.()
      if (old.relay !== session.relay || old.identity !== session.identity) {
        session.ended?.()
        return this.end(CLOSE.expired, 'the new token is of somebody else')
      }
      this.#session = session
      if (old !== session) old.ended?.()
      this.#answer(encodeText(KIND.renewed, JSON.stringify({ expiresInMs: this.#expiresInMs() })))
    })
  }

  #authenticate(
    { hub }: Hello,
    token: string | undefined,
    enter: (session: PageSession) => void | Promise<void>,
  ): void {
    const check = async () => {
      const result = await this.#server.authenticate({ hub, token }, this.#session)
      if (!('refused' in result)) return enter(result)
      this.end(result.isFinal ? CLOSE.refused : CLOSE.later, result.refused)
    }
    check().catch((cause: unknown) => this.end(CLOSE.later, 'the server cannot check the token now', cause))
  }

  #join(id: number, text: string): undefined {
    const named = readPageTopic(text, this.#hello?.hub ?? '')
    const { maxJoinsPerPage } = this.#server.limits
    const known = named && this.#joins.get(named.topic)
    const refuse = (reason: string) => {
      this.#server.counts.refused++
      this.#answer(encodeNumbered(KIND.refused, id, reason))
    }
    if (named === undefined) return refuse('a topic of another hub') as undefined
    if (!this.#session?.may('listen', named.streamName)) return refuse('no permission to listen') as undefined
    if (known !== undefined) {
      known.id = id
      if (known.isJoined) this.joined(named.topic)
    } else if (this.#joins.size >= maxJoinsPerPage) {
      refuse(`more than ${maxJoinsPerPage} streams`)
    } else {
      this.#joins.set(named.topic, { id, isJoined: false })
      this.#server.counts.joins++
      this.#group?.join(named.topic, this)
    }
  }

  #leave(topic: Topic): undefined {
    if (this.#forget(topic)) this.#group?.leave(topic, this)
  }

  #forget(topic: Topic): { id: number } | undefined {
    const join = this.#joins.get(topic)
    if (this.#joins.delete(topic)) this.#server.counts.joins--
    return join
  }

  #frame({ topic, rest }: ProtocolMessage): undefined {
    const session = this.#session
    if (this.#frames === undefined || session === undefined) return
    const outcome = this.#frames.take(topic, rest, session)
    const { counts } = this.#server
    if (outcome === 'sent') counts.received++
    else if (outcome === 'offline') this.end(CLOSE.away, 'the transport upstream did not take a frame')
    else {
      counts.refused++
      const nowMs = performance.now()
      if (!this.#refused.take(nowMs)) return this.end(CLOSE.later, 'too many refused frames') as undefined
      if (this.#faults.take(nowMs)) {
        this.#answer(encodeTopical(KIND.fault, topic, `The server refused ${outcome.refusal}.`))
      }
    }
  }

  async #prove(prefix: string): Promise<void> {
    const session = this.#session
    if (session === undefined) return
    const proof = await this.#server.prove(session, this.#hello?.hub ?? '', prefix)
    this.#answer(encodeText(KIND.bound, prefix + proof))
  }

  /** Sends what the page waits for. When there is no room for that either, the page is not reading. */
  #answer(message: Uint8Array): void {
    if (this.#state !== 'in') return
    const { maxWaitingBytes } = this.#server.limits
    if (this.#socket.bufferedBytes > maxWaitingBytes + ANSWERS_BYTES) this.#drop('the page does not read')
    else this.#socket.send(message)
  }

  #drop(reason: string): void {
    this.end(CLOSE.slow, reason)
    this.#socket.terminate()
  }

  /** Ends a page whose token is over. */
  #isExpired(): boolean {
    const isExpired = (this.#expiresInMs() ?? 1) <= 0
    if (isExpired) this.end(CLOSE.expired, 'the token expired')
    return isExpired
  }

  #expiresInMs(): number | undefined {
    const { expiresMs } = this.#session ?? {}
    return expiresMs === undefined ? undefined : expiresMs - Date.now()
  }
}

const MAX_REASON_BYTES = 120

/** Shortens a reason to what a close frame takes (RFC 6455, 5.5: 125 bytes with the code). */
function cut(reason: string): string {
  const bytes = new TextEncoder().encode(reason)
  if (bytes.length <= MAX_REASON_BYTES) return reason
  return new TextDecoder().decode(bytes.subarray(0, MAX_REASON_BYTES)).replace(/\uFFFD+$/, '')
}
