import { type Access, basicCaller } from '../access/authentication.ts'
import type { Caller } from '../access/caller.ts'
import type { NoteForwarding } from '../access/open-access.ts'
import { type Answer, answerWith, type LogLine, unavailableAnswer } from '../base/answer.ts'
import type { GatewayLog } from '../base/gateway-log.ts'
import { ApiError } from '../base/problem.ts'
import type { StreamRecord } from '../registry/stream-record.ts'
import { parseStrictJson } from '../streams/message-json.ts'
import { publishAnswer } from '../streams/publish-answer.ts'
import type { StreamService } from '../streams/stream-service.ts'
import { streamIdOf } from './exchange.ts'
import { checkForm, decodeField, Form, MAX_BODY_BYTES } from './form.ts'
import { type ServiceOptions, serviceSidOf } from './services-api.ts'

/** A request to publish, whichever server it came through. */
export interface PublishRequest {
  readonly caller: Caller
  readonly serviceSid: string
  /** The stream's name or sid in the path, percent-encoded. */
  readonly streamSegment: string
  /** Reads the form. Rejects with an `ApiError` for one that cannot be taken. */
  readonly readBody: () => Promise<string>
}

const PUBLISH = ['publish'] as const

/** Publishes what a form brings. The hub's stream decides and counts. */
export async function publishForm(service: StreamService, request: PublishRequest): Promise<Answer> {
  const { caller, serviceSid } = request
  const id = streamIdOf(request.streamSegment)
  // Who may not publish is not read any further.
  const first = service.find(caller, serviceSid, id, PUBLISH)
  if (first instanceof Promise) await first
  const raw = new Form(await request.readBody()).raw('Data')
  if (raw === undefined || raw === '') throw new ApiError('noData')
  // Again, since the stream may have ended while the body came.
  const found = service.find(caller, serviceSid, id, PUBLISH)
  const record: StreamRecord = found instanceof Promise ? await found : found
  return publishAnswer(service.publish(record, new UnreadData(raw)))
}

/** Data that is decoded and parsed only when the stream reads it, which it does after it has looked for room. */
class UnreadData {
  readonly #raw: string

  constructor(raw: string) {
    this.#raw = raw
  }

  toJSON(): unknown {
    return parseStrictJson(decodeField(this.#raw))
  }
}

/** A request to publish as a server has read it, without a web `Request`. */
export interface DirectRequest {
  /** The path, as it stands in the request line. */
  readonly target: string
  /** Where the connection comes from. */
  readonly clientAddress?: string | undefined
  /** Gives a header by its name in lower case. */
  header(name: string): string | undefined
  /** The body as UTF-8 text, of at most 64 KiB; rejects when it breaks off. Called once, or not at all. */
  readonly readBody: () => Promise<string>
}

/** Options of the short way. */
export interface DirectOptions extends Access, ServiceOptions {
  readonly services: ServiceOptions['services']
  readonly basePath: string
  readonly log: GatewayLog
}

/** Answers a direct request, or gives `undefined` for one that `fetch` has to answer. Never rejects. */
export type DirectPublish = (request: DirectRequest) => Promise<Answer> | undefined

// What a URL may hold without being rewritten by its parser; a segment of dots would be.
const PLAIN_TARGET = /^(?:\/(?!\.)[\w%~!$&'()*+,;=:@.-]+)+$/

/**
 * Makes the short way for `POST …/Messages` with HTTP Basic, which is what server SDKs send: the rules are those of
 * every other way, but no web `Request`, `Response` or router is made. Only for a gateway with keys.
 */
export function makeDirectPublish(
  options: DirectOptions,
  service: StreamService,
  isClosed: () => boolean,
  noteForwarding: NoteForwarding,
): DirectPublish {
  const { basePath, log, services } = options
  const prefix = `${basePath}/v1/Services/`
  if (options.isOpen) return () => undefined
  return ({ target, clientAddress, header, readBody }) => {
    const authorization = header('authorization')
    if (authorization === undefined || !isPlain(header)) return undefined
    if (!target.startsWith(prefix) || !PLAIN_TARGET.test(target)) return undefined
    const [serviceSegment = '', streams, streamSegment = '', messages, more] = target
      .slice(prefix.length)
      .split('/')
    if (streams !== 'Streams' || messages !== 'Messages' || more !== undefined) return undefined
    const line: LogLine = { route: 'publish', method: 'POST' }
    return answerWith(log, line, () => {
      if (isClosed()) return unavailableAnswer()
      noteForwarding(header)
      const caller = basicCaller(authorization, options, { url: target, clientAddress, header }, Date.now())
      line.key = caller.keySid
      return publishForm(service, {
        caller,
        serviceSid: serviceSidOf(serviceSegment, services),
        streamSegment,
        readBody: async () => checkForm(await readBody(), header('content-type') ?? null),
      })
    })
  }
}

/** What a browser sends goes the long way, where its origin is checked, and so does a body of unknown length. */
function isPlain(header: DirectRequest['header']): boolean {
  const isBasic = header('authorization')?.startsWith('Basic ') === true
  const isShort = Number(header('content-length')) <= MAX_BODY_BYTES
  return isBasic && isShort && header('origin') === undefined && header('sec-fetch-site') === undefined
}
