import {
  type Answer,
  ApiError,
  answerWith,
  type Caller,
  type DirectPublish,
  type DirectRequest,
  failed,
  type GatewayLog,
  type LogLine,
  type ProtocolHost,
  type TakeBody,
  unavailable,
} from '@rivulet/gateway/protocol'
import { PROBLEMS, writeProblem } from '../base/problem.ts'
import type { StreamRecord } from '../registry/stream-record.ts'
import { publishAnswer } from '../streams/publish-answer.ts'
import type { StreamService } from '../streams/stream-service.ts'
import { parseStrictJson } from '../streams/strict-json.ts'
import { streamIdOf } from './exchange.ts'
import { checkForm, decodeField, Form, MAX_BODY_BYTES, readFormText } from './form.ts'
import { serviceSidOf } from './services-api.ts'

/** A caller who wants to publish on a stream. */
export interface Publisher {
  readonly caller: Caller
  readonly serviceSid: string
  /** The stream's name or sid in the path, percent-encoded. */
  readonly streamSegment: string
}

const PUBLISH = ['publish'] as const

/** Publishes what a web request brings. */
export async function publishRequest(
  service: StreamService,
  publisher: Publisher,
  request: Request,
): Promise<Answer> {
  // Who may not publish is not read any further.
  const found = findFor(service, publisher)
  if (found instanceof Promise) await found
  return publishForm(service, publisher, await readFormText(request))
}

/** Publishes what a form brings, at once where the registry can. The hub's stream decides and counts. */
function publishForm(service: StreamService, publisher: Publisher, form: string): Answer | Promise<Answer> {
  const raw = new Form(form).raw('Data')
  if (raw === undefined || raw === '') throw new ApiError(PROBLEMS.noData)
  const publish = (record: StreamRecord) => publishAnswer(service.publish(record, new UnreadData(raw)))
  // Found again, since the stream may have ended while the body came.
  const found = findFor(service, publisher)
  return found instanceof Promise ? found.then(publish) : publish(found)
}

function findFor(service: StreamService, { caller, serviceSid, streamSegment }: Publisher) {
  return service.find(caller, serviceSid, streamIdOf(streamSegment), PUBLISH)
}

/** Data that is decoded and parsed only when the stream reads it, which it does after the check of its rate limit. */
class UnreadData {
  readonly #raw: string

  constructor(raw: string) {
    this.#raw = raw
  }

  toJSON(): unknown {
    return parseStrictJson(decodeField(this.#raw))
  }
}

// What a URL may hold without being rewritten by its parser; a segment of dots would be.
const PLAIN_TARGET = /^(?:\/(?!\.)[\w%~!$&'()*+,;=:@.-]+)+$/

/**
 * Makes the short way for `POST …/Messages` with HTTP Basic, which is what server SDKs send: the rules are those of
 * every other way, but no web `Request`, `Response` or router is made. Only for a gateway with keys.
 */
export function makeDirectPublish(host: ProtocolHost, service: StreamService): DirectPublish {
  const { basePath, log, services } = host
  const prefix = `${basePath}/v1/Services/`
  if (host.isOpen) return () => undefined
  return ({ target, clientAddress, header }) => {
    const authorization = header('authorization')
    if (authorization === undefined || !isPlain(header)) return undefined
    if (!target.startsWith(prefix) || !PLAIN_TARGET.test(target)) return undefined
    const [serviceSegment = '', streams, streamSegment = '', messages, more] = target
      .slice(prefix.length)
      .split('/')
    if (streams !== 'Streams' || messages !== 'Messages' || more !== undefined) return undefined
    const line: LogLine = { route: 'publish', method: 'POST' }
    try {
      if (host.isClosed()) throw unavailable()
      host.noteForwarding(header)
      const caller = host.basicCaller(authorization, { url: target, clientAddress, header })
      line.key = caller.keySid
      const publisher = { caller, serviceSid: serviceSidOf(serviceSegment, services), streamSegment }
      return takeBody(log, line, service, publisher, header('content-type') ?? null)
    } catch (error) {
      return failed(log, line, error, writeProblem)
    }
  }
}

/** The body of a caller who may not publish is not read. Throws as `find`. */
function takeBody(
  log: GatewayLog,
  line: LogLine,
  service: StreamService,
  publisher: Publisher,
  contentType: string | null,
): TakeBody {
  const found = findFor(service, publisher)
  const publish = (text: string) => publishForm(service, publisher, checkForm(text, contentType))
  if (!(found instanceof Promise)) return (text) => answerWith(log, line, () => publish(text), writeProblem)
  // Whether it was found is answered once the body is there.
  found.catch(() => {})
  return (text) => answerWith(log, line, () => found.then(() => publish(text)), writeProblem)
}

/** A request of a browser takes the long way, where its origin is checked, and so does a body of unknown length. */
function isPlain(header: DirectRequest['header']): boolean {
  const isBasic = header('authorization')?.startsWith('Basic ') === true
  const isShort = Number(header('content-length')) <= MAX_BODY_BYTES
  return isBasic && isShort && header('origin') === undefined && header('sec-fetch-site') === undefined
}
