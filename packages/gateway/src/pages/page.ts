import {
  CLOSE,
  decode,
  encodeNumbered,
  encodeText,
  KIND,
  MAX_MESSAGE_BYTES,
  MAX_PENDING_BYTES,
  type ProtocolMessage,
  SILENCE_MS,
  textOf,
} from '@rivulet/websocket/protocol'
import type { Topic } from 'rivulet'
import { Outbox } from '../sessions/outbox.ts'
import type { PendingConnection } from '../sessions/pending.ts'
import { Admission } from './admission.ts'
import { closeReason } from './close-reason.ts'
import { FrameRefusals } from './frame-refusals.ts'
import { guardedSocket } from './guarded-socket.ts'
import { Hearing } from './hearing.ts'
import { readHello } from './hello.ts'
import type { Buckets } from './page-buckets.ts'
import type { PageContext } from './page-context.ts'
import { PageFrames } from './page-frames.ts'
import type { GroupPage, PageGroup } from './page-group.ts'
import { PageJoins } from './page-joins.ts'
import type { PageHandler, PageSession, PageSocket } from './session.ts'
import { encodeWelcome } from './welcome.ts'

/** A pending connection is closed after so long. */
const PENDING_MS = 10_000
/** Replies have capacity beyond `maxWaitingBytes`, which is that of frames. */
const REPLY_BYTES = 65_536
/** The page receives no more than this: the broker's own message goes to the service's hub. */
const REFUSED_UPSTREAM = 'the transport upstream refused something on this stream'
/** The time that a page may take to close. */
const CLOSING_MS = 2_000

/** The state of a page whose token is valid. */
interface Inside {
  /** The origins of the page's sids begin with these. */
  readonly prefixes: readonly string[]
  /** Pages with an equal key share their buckets one after the other. */
  readonly bucketKey: string
  readonly buckets: Buckets
  readonly group: PageGroup
  readonly frames: PageFrames
  readonly joins: PageJoins
}

/** One connection of a page, from its hello to its end. */
export class Page implements PageHandler, GroupPage, PendingConnection {
  readonly #socket: PageSocket
  readonly #context: PageContext
  readonly #outbox: Outbox
  /** `checking` its token, then `waiting` until frames pass, then `in`. */
  #state: 'new' | 'checking' | 'waiting' | 'in' | 'ended' = 'new'
  #admission: Admission | undefined
  #inside: Inside | undefined
  #hearing = new Hearing()
  /** The time at which it was accepted, or ended. */
  #sinceMs = performance.now()
  readonly #refusals = new FrameRefusals()
  readonly #waits = (isCongested: boolean) =>
    this.#answer(encodeText(KIND.progress, JSON.stringify({ congested: isCongested })))
  readonly #takenOver = () => this.end(CLOSE.takenOver, 'another connection of the same page took over')

  constructor(socket: PageSocket, context: PageContext) {
    this.#socket = guardedSocket(socket, (cause) => this.end(CLOSE.later, 'the socket failed', cause))
    this.#context = context
    const { limits, counts } = context
    this.#outbox = new Outbox(
      this.#socket,
      { messageBytes: limits.maxWaitingBytes, replyBytes: limits.maxWaitingBytes + REPLY_BYTES },
      counts,
    )
  }

  get #isEnded(): boolean {
    return this.#state === 'ended'
  }

  get isKnown(): boolean {
    return this.session !== undefined
  }

  get session(): PageSession | undefined {
    return this.#admission?.session
  }

  get isTrusted(): boolean {
    return this.session?.isTrusted === true
  }

  receive(message: Uint8Array | string): void {
    if (this.#isEnded) return
    if (this.#hearing.heard(performance.now())) this.#ping(encodeText(KIND.ping))
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
    if (this.#isEnded) {
      if (nowMs - this.#sinceMs < CLOSING_MS) return true
      this.#socket.terminate()
      return false
    }
    if (this.#state !== 'in') {
      if (nowMs - this.#sinceMs >= PENDING_MS) this.end(CLOSE.later, 'not let in within 10 seconds')
    } else if (this.#hearing.silentMs(nowMs) >= SILENCE_MS) this.#drop('the page was silent for 6 seconds')
    else if (!this.#endsExpired()) {
      this.#inside?.frames.forgetIdle(nowMs)
      this.#ping(ping)
    }
    return true
  }

  /** Ends the connection; called again it does nothing. `fault` is the error of the server that caused it. */
  end(code: number, reason: string, fault?: unknown): void {
    if (this.#isEnded) return
    if (this.#state === 'in') this.#context.counts.pages--
    this.#state = 'ended'
    this.#sinceMs = performance.now()
    this.#socket.close(code, closeReason(reason))
    this.#context.pending.delete(this)
    if (this.#inside !== undefined) this.#leave(this.#inside)
    this.#admission?.stop()
    const { log } = this.#context
    if (fault === undefined) log.debug({ code, reason }, 'a page has ended')
    else log.warn({ code, reason, fault }, 'a page was ended by a fault of the server')
  }

  evict(): void {
    this.end(CLOSE.later, 'too many connections')
    this.#socket.terminate()
  }

  /** Frames pass from now on. */
  opened(): void {
    if (this.#state !== 'waiting' || this.#inside === undefined) return
    this.#state = 'in'
    this.#hearing = new Hearing() // what it sends from now on answers the welcome
    const { group, prefixes } = this.#inside
    const { counts, log } = this.#context
    counts.pages++
    log.debug({ pages: counts.pages }, 'a page was let in')
    this.#answer(encodeWelcome(group.port.capabilities, prefixes, this.#admission?.expiresInMs))
  }

  /** Frames pass no more. */
  relayEnded(reason: 'away' | 'closed'): void {
    if (reason === 'closed') this.end(CLOSE.restart, 'the server closes')
    else this.end(CLOSE.away, 'the transport upstream is away')
  }

  joined(topic: Topic): void {
    this.#inside?.joins.joined(topic)
  }

  refused(topic: Topic, cause: Error): void {
    this.#inside?.joins.refused(topic, cause)
  }

  left(topic: Topic, cause: Error): void {
    this.#inside?.joins.left(topic, cause)
  }

  failed(topic: Topic): void {
    const hasSent = this.isTrusted || this.#inside?.frames.hasSentOn(topic)
    if (hasSent) this.#refusals.add(topic, REFUSED_UPSTREAM, performance.now())
  }

  /** Hands a frame over, or drops it when the page reads too slowly. */
  give(frame: Uint8Array): void {
    this.#outbox.push(frame)
  }

  /** Takes a message, or says what is wrong with it: then the connection ends for good. */
  #take(message: Uint8Array | string): string | undefined {
    if (typeof message === 'string') return 'a text message'
    const isIn = this.#state === 'in'
    if (message.length > (isIn ? MAX_MESSAGE_BYTES : MAX_PENDING_BYTES)) return 'a message that is too large'
    const read = decode(message)
    if (read === undefined) return 'a malformed message'
    if (this.#state === 'new') return this.#takeHello(read)
    const { session } = this
    if (!isIn || this.#inside === undefined || session === undefined) return 'a message before the welcome'
    if (this.#endsExpired()) return undefined
    if (read.kind === KIND.pong) return this.#hearing.ponged()
    if (read.kind === KIND.frame) return this.#frame(read, this.#inside, session)
    if (this.isTrusted || this.#inside.buckets.requests.take(performance.now()))
      return this.#ask(read, this.#inside, session)
    this.end(CLOSE.later, 'too many requests')
    return undefined
  }

  #takeHello({ kind, rest }: ProtocolMessage): string | undefined {
    const hello = kind === KIND.hello ? readHello(rest) : 'the first message is no hello'
    if (typeof hello === 'string') return hello
    this.#state = 'checking'
    const end = (code: number, reason: string, fault?: unknown) => this.end(code, reason, fault)
    this.#admission = new Admission(hello, this.#context, end)
    this.#admission.start((session, prefixes) => {
      this.#context.pending.delete(this)
      const { limits } = this.#context
      const group = this.#context.groupOf(session)
      const bucketKey = `${hello.hub}/${session.identity}`
      const buckets = this.#context.buckets.take(bucketKey, performance.now())
      const answer = (message: Uint8Array) => this.#answer(message)
      this.#state = 'waiting'
      this.#inside = {
        group,
        prefixes,
        bucketKey,
        buckets,
        frames: new PageFrames(hello.hub, prefixes, limits, buckets, group.port, this),
        joins: new PageJoins(hello.hub, this, group, this.#context, answer),
      }
      // First: the older connection of this page may be the last page of the group, which is detached when it leaves.
      group.enter(this)
      if (!this.#isEnded) group.port.hold(prefixes, this.#takenOver)
    })
    return undefined
  }

  #ask({ kind, id, topic, rest }: ProtocolMessage, inside: Inside, session: PageSession): string | undefined {
    if (kind === KIND.join) inside.joins.join(id, textOf(rest) ?? '', session)
    else if (kind === KIND.leave) inside.joins.leave(topic as Topic)
    else if (kind === KIND.token) this.#renew(textOf(rest) ?? '')
    else if (kind === KIND.barrier) {
      // Before the answer, so that the page does not take a refused frame for confirmed. Upstream may refuse one meanwhile.
      this.#tellRefusals()
      const answer = () => {
        this.#tellRefusals()
        this.#answer(encodeNumbered(KIND.barrier, id))
      }
      inside.group.port.barrier(answer, this.#admission?.hello.takesProgress ? this.#waits : undefined)
    } else return 'a second hello, or a message that only the server sends'
    return undefined
  }

  #tellRefusals(): void {
    for (const fault of this.#refusals.take()) this.#answer(fault)
  }

  #renew(token: string): void {
    this.#admission?.renew(token, (session) => {
      this.#inside?.joins.endForbidden(session)
      const expiresInMs = this.#admission?.expiresInMs
      this.#answer(encodeText(KIND.renewed, JSON.stringify({ expiresInMs })))
    })
  }

  #frame({ topic, rest }: ProtocolMessage, { frames }: Inside, session: PageSession): undefined {
    if (this.#hearing.isDoubtful) {
      this.#drop('what the page sent was held back on the way')
      return undefined
    }
    const outcome = frames.take(topic, rest, session)
    const { counts } = this.#context
    if (outcome === 'sent') counts.received++
    else if (outcome === 'offline') this.end(CLOSE.away, 'the transport upstream did not take a frame')
    else {
      counts.refused++
      if (!this.#refusals.add(topic, outcome.refusal, performance.now())) {
        this.end(CLOSE.later, 'too many refused frames')
      } else if (this.#refusals.isFull) this.#tellRefusals()
    }
  }

  #ping(ping: Uint8Array): void {
    if (this.#state !== 'in') return
    this.#hearing.pinged()
    this.#answer(ping)
  }

  /** Sends an answer. Ends the connection when there is no capacity for it. */
  #answer(message: Uint8Array): void {
    if (this.#state === 'in' && !this.#outbox.reply(message)) this.#drop('the page does not read')
  }

  #leave({ group, prefixes, bucketKey, buckets, joins }: Inside): void {
    this.#context.buckets.keep(bucketKey, buckets)
    joins.leaveAll()
    group.port.release(prefixes, this.#takenOver)
    group.exit(this)
    this.#context.release(group)
  }

  #drop(reason: string): void {
    this.end(CLOSE.slow, reason)
    this.#socket.terminate()
  }

  /** Ends a page whose token has expired, and returns whether it did. */
  #endsExpired(): boolean {
    const isExpired = (this.#admission?.expiresInMs ?? 1) <= 0
    if (isExpired) this.end(CLOSE.expired, 'the token expired')
    return isExpired
  }
}
