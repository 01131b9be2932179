import {
  type Answer,
  answerWith,
  type Caller,
  codeOf,
  Outbox,
  type PendingConnection,
  TokenEnd,
  unavailable,
} from '@rivulet/gateway/protocol'
import { writeProblem } from '../base/problem.ts'
import type { ConnectionHost } from './connection-host.ts'
import { type Frame, readFrame, writeFrame, writeJsonFrame } from './frame.ts'
import { newId } from './notification.ts'
import { answerRequest, requestIn, routeNameOf, type TunnelledRequest } from './requests.ts'
import type { TwilsockHandler, TwilsockSocket } from './socket.ts'
import { Subscriptions } from './subscriptions.ts'
import { answerWithProblem, STATUS, TWILSOCK_PROBLEMS, type TwilsockStatus } from './twilsock-problem.ts'

// Three minutes before a token's `exp`, as Twilio's documents say, and the minute that clocks may differ by.
const TOKEN_NOTICE_MS = 240_000
// Replies have capacity even when messages have taken all of theirs.
const SHARE_OF_MESSAGES = 7 / 8
// A client has nothing else to do first.
const INIT_TIMEOUT_MS = 10_000
// An application may make hundreds at once; 450 were seen.
const MAX_REQUESTS_AT_ONCE = 1000
// They stay in memory while the registry is asked. 450 of the largest publishes have half as much.
const MAX_REQUEST_BYTES_AT_ONCE = 4_194_304
// WebSocket's codes; the SDK comes back after each (RFC 6455, 7.4.1).
const NORMAL = 1000
const GOING_AWAY = 1001
const INTERNAL = 1011
const TRY_AGAIN_LATER = 1013

/** One client SDK's connection. */
export class Connection implements TwilsockHandler, PendingConnection {
  readonly #host: ConnectionHost
  readonly #socket: TwilsockSocket
  readonly #outbox: Outbox
  readonly #subscriptions: Subscriptions
  readonly #token: TokenEnd
  readonly #initTimer: ReturnType<typeof setTimeout>
  #state: 'new' | 'verifying' | 'ready' | 'over' = 'new'
  #caller: Caller | undefined
  #requests = 0
  #requestBytes = 0
  #isHeard = true
  #beatsInSilence = 0

  constructor(socket: TwilsockSocket, host: ConnectionHost) {
    this.#host = host
    this.#socket = socket
    const { maxWaitingBytes, maxSubscriptions } = host.limits
    this.#outbox = new Outbox(
      socket,
      { messageBytes: maxWaitingBytes * SHARE_OF_MESSAGES, replyBytes: maxWaitingBytes },
      host.counts,
    )
    this.#subscriptions = new Subscriptions(host.streams, maxSubscriptions, {
      push: (bytes) => this.push(bytes),
      send: (bytes) => this.send(bytes),
      end: () => this.end(),
      count: (change) => {
        host.counts.subscriptions += change
      },
    })
    this.#token = new TokenEnd(
      {
        endsSoon: (noticeMs) => this.send(aboutToExpire(noticeMs)),
        ended: () => this.end(NORMAL),
      },
      TOKEN_NOTICE_MS,
    )
    this.#initTimer = setTimeout(() => this.end(NORMAL), INIT_TIMEOUT_MS)
  }

  /** The authenticated sender; `undefined` before `init` is accepted. */
  get caller(): Caller | undefined {
    return this.#caller
  }

  get isKnown(): boolean {
    return this.#caller !== undefined
  }

  receive(message: Uint8Array | string): void {
    if (this.#state === 'over') return
    this.#isHeard = true
    const frame = typeof message === 'string' ? undefined : readFrame(message)
    const { method, id } = frame?.header ?? {}
    if (frame === undefined || typeof method !== 'string' || typeof id !== 'string') {
      return this.#giveUp(STATUS.notAFrame)
    }
    // Acknowledgements, and reports that were never agreed on.
    if (method === 'reply' || method === 'telemetry.v1') return
    if (method === 'close') return this.end(NORMAL)
    if (method === 'init') return this.#begin(id, frame)
    if (this.#state !== 'ready') return this.#giveUp(STATUS.notInitialized)
    if (method === 'message') return this.#take(id, frame, message.length)
    if (method === 'update') return this.#takeToken(id, frame, message.length)
    // What else there is concerns push notifications, which are not served.
    this.#reply(id, STATUS.ok)
  }

  pong(): void {
    this.#isHeard = true
  }

  closed(): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    clearTimeout(this.#initTimer)
    this.#token.stop()
    this.#subscriptions.close()
    this.#host.ended(this)
  }

  /** Closes the socket; the client comes back by itself. */
  end(code: number = GOING_AWAY): void {
    if (this.#state === 'over') return
    this.#socket.close(code)
    this.closed()
  }

  /** Ends a pending connection, to make capacity for another one. */
  evict(): void {
    this.end(TRY_AGAIN_LATER)
    this.#socket.terminate()
  }

  /** Sends a message, unless too much waits already. */
  push(bytes: Uint8Array): void {
    if (this.#state !== 'over') this.#outbox.push(bytes)
  }

  /** Sends a reply, which must not be lost, or ends the connection when there is no capacity for it. */
  send(bytes: Uint8Array): void {
    if (this.#state !== 'over' && !this.#outbox.reply(bytes)) this.#abort('it takes nothing')
  }

  /** Pings the client, or ends the connection after as many beats in which it took nothing, or nothing came. */
  beat(mostBeatsInSilence: number): void {
    const isAlive = this.#outbox.hasMoved() && this.#isHeard
    this.#isHeard = false
    this.#beatsInSilence = isAlive ? 0 : this.#beatsInSilence + 1
    if (this.#beatsInSilence >= mostBeatsInSilence) this.#abort('it gives no sign of life')
    else this.#socket.ping()
  }

  #begin(id: string, frame: Frame): void {
    // A second one would be another client in the place of the first.
    if (this.#state !== 'new') return this.#giveUp(STATUS.notAFrame)
    this.#state = 'verifying'
    void this.#attempt(this.#init(id, frame), 0)
  }

  async #init(id: string, { header }: Frame): Promise<void> {
    const { log } = this.#host
    const verified = await this.#host.verify(header.token)
    if (this.#isOver) return
    if (!verified.ok) return this.#deny(id, verified.reason)
    const { caller } = verified
    const storageId = await this.#host.storageIdOf(caller)
    if (this.#isOver) return
    // Its key may have been replaced meanwhile.
    if (!mayAnything(caller)) return this.#deny(id, 'invalid')
    if (!this.#host.admit(this, caller)) return this.#sendAway(id, caller)
    this.#caller = caller
    this.#state = 'ready'
    clearTimeout(this.#initTimer)
    // Without `telemetry.v1` the SDK sends no telemetry.
    const capabilities = ['client_update', 'offline_storage']
    this.#reply(id, STATUS.ok, { capabilities, offline_storage: { data_sync: { storage_id: storageId } } })
    this.#token.watch(caller.expiresMs)
    log.debug({ key: caller.keySid, identity: caller.identity }, 'a client SDK has connected')
  }

  async #update(id: string, { header }: Frame): Promise<void> {
    const verified = await this.#host.verify(header.token)
    if (this.#isOver) return
    if (!verified.ok) return this.#deny(id, verified.reason)
    const { identity, serviceSid } = verified.caller
    const isSame = identity === this.#caller?.identity && serviceSid === this.#caller?.serviceSid
    if (!isSame) return this.#deny(id, 'other')
    if (!this.#host.admit(this, verified.caller)) return this.#sendAway(id, verified.caller)
    this.#caller = verified.caller
    this.#reply(id, STATUS.ok)
    this.#token.watch(verified.caller.expiresMs)
    // Another key may allow less. The client comes back, and learns which subscriptions fail.
    if (!this.#subscriptions.areAllowedTo(verified.caller)) this.end()
  }

  #take(id: string, frame: Frame, bytes: number): void {
    const request = requestIn(frame)
    if (request === undefined) return this.#reply(id, STATUS.badRequest)
    if (!this.#hasRoomFor(bytes)) {
      return this.#replyTo(id, answerWithProblem(TWILSOCK_PROBLEMS.tooManyRequests))
    }
    void this.#attempt(this.#answer(id, request), bytes)
  }

  #takeToken(id: string, frame: Frame, bytes: number): void {
    if (this.#hasRoomFor(bytes)) void this.#attempt(this.#update(id, frame), bytes)
    else this.#reply(id, STATUS.tooManyRequests)
  }

  #hasRoomFor(bytes: number): boolean {
    return this.#requests < MAX_REQUESTS_AT_ONCE && this.#requestBytes + bytes <= MAX_REQUEST_BYTES_AT_ONCE
  }

  async #answer(id: string, request: TunnelledRequest): Promise<void> {
    const { streams, accountSid, log } = this.#host
    const caller = this.#caller as Caller
    const subscriptions = this.#subscriptions
    const line = {
      route: 'twilsock',
      method: routeNameOf(request),
      key: caller.keySid,
      identity: caller.identity,
    }
    const handle = () => {
      if (this.#host.isClosed()) throw unavailable()
      return answerRequest({ caller, streams, subscriptions, accountSid }, request)
    }
    const answer = await answerWith(log, line, handle, writeProblem)
    this.#replyTo(id, answer)
  }

  #replyTo(id: string, { status, headers, body }: Answer): void {
    const retryAfter = headers['retry-after']
    const http_headers = {
      ...(typeof body === 'string' && { 'content-type': 'application/json' }),
      ...(retryAfter !== undefined && { 'retry-after': retryAfter }),
    }
    const http_status = { code: status, status: status < 400 ? 'OK' : 'ERROR' }
    const header = { method: 'reply', id, status: STATUS.ok, http_status, http_headers }
    this.send(typeof body === 'string' ? writeJsonFrame(header, body) : writeFrame(header))
  }

  #reply(id: string, status: TwilsockStatus, more: object = {}): void {
    this.send(writeFrame({ method: 'reply', id, status, ...more }))
  }

  #deny(id: string, reason: 'invalid' | 'expired' | 'tooLong' | 'other'): void {
    const { invalidToken, expiredToken, otherIdentity } = STATUS
    const { log } = this.#host
    log.info({ reason }, 'an access token was not accepted')
    const statuses = { invalid: invalidToken, expired: expiredToken, tooLong: invalidToken }
    this.#reply(id, { ...statuses, other: otherIdentity }[reason])
    this.end(NORMAL)
  }

  #sendAway(id: string, { keySid, identity }: Caller): void {
    const header = { method: 'reply', id, status: STATUS.tooManyConnections }
    this.#host.log.info({ key: keySid, identity }, 'an identity has as many connections as it may have')
    // The SDK waits for so long before it tries again.
    this.send(writeJsonFrame(header, '{"backoff_policy":{"reconnect_min_ms":10000}}'))
    this.end(NORMAL)
  }

  #giveUp(status: TwilsockStatus): void {
    this.send(writeFrame({ method: 'close', id: newId(), status }))
    this.end(NORMAL)
  }

  #abort(reason: string): void {
    if (this.#state === 'over') return
    this.#host.log.info({ reason }, 'a connection of a client SDK is ended')
    this.#socket.terminate()
    this.closed()
  }

  async #attempt(work: Promise<void>, bytes: number): Promise<void> {
    this.#requests += 1
    this.#requestBytes += bytes
    try {
      await work
    } catch (error) {
      // Neither the message nor the stack: they may hold a part of the request.
      this.#host.log.error({ code: codeOf(error) }, 'a connection failed')
      this.end(INTERNAL)
    }
    this.#requests -= 1
    this.#requestBytes -= bytes
  }

  get #isOver(): boolean {
    return this.#state === 'over'
  }
}

function mayAnything({ may, serviceSid = '' }: Caller): boolean {
  return may('publish', serviceSid) || may('listen', serviceSid) || may('manage', serviceSid)
}

function aboutToExpire(leftMs: number): Uint8Array {
  return writeFrame({
    method: 'client_update',
    id: newId(),
    client_update_type: 'token_about_to_expire',
    client_update_message: `Your token is about to expire. Time left: less than ${leftMs} ms`,
  })
}
