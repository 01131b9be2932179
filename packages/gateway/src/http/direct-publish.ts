import { basicCaller } from '../access/caller-of.ts'
import { type Answer, problemAnswer } from '../base/answer.ts'
import { answerWith } from '../base/answering.ts'
import type { StreamService } from '../streams/stream-service.ts'
import { checkForm } from './form.ts'
import { publishForm } from './publishing.ts'
import type { RouterOptions } from './router.ts'
import { serviceSidOf } from './services-api.ts'

/** A request to publish as a server has read it, without a web `Request`. */
export interface DirectRequest {
  /** The path, as it stands in the request line. */
  readonly target: string
  /** The header `Authorization`. */
  readonly authorization: string
  /** Where the connection comes from. */
  readonly clientAddress?: string | undefined
  /** The header `Content-Type`. */
  readonly contentType: string
  /** The body as UTF-8 text, of at most 64 KiB; rejects when it breaks off. Called once, or not at all. */
  readonly readBody: () => Promise<string>
}

/** Answers a direct request, or gives `undefined` for one that `fetch` has to answer. Never rejects. */
export type DirectPublish = (request: DirectRequest) => Promise<Answer> | undefined

// What a URL may hold without being rewritten by its parser; a segment of dots would be.
const PLAIN_TARGET = /^(?:\/(?!\.)[\w%~!$&'()*+,;=:@.-]+)+$/

/** What a browser sends does not come this way. */
const none = () => undefined

/**
 * Makes the short way for `POST …/Messages` with HTTP Basic, which is what server SDKs send: the rules are those of
 * every other way, but no web `Request`, `Response` or router is made. Only for a gateway with keys.
 */
export function makeDirectPublish(
  options: RouterOptions,
  service: StreamService,
  isClosed: () => boolean,
): DirectPublish {
  const { basePath, log, services, isOpen } = options
  const prefix = `${basePath}/v1/Services/`
  return ({ target, authorization, clientAddress, contentType, readBody }) => {
    if (isOpen || !target.startsWith(prefix) || !PLAIN_TARGET.test(target)) return undefined
    const [serviceSegment = '', streams, streamSegment = '', messages, more] = target
      .slice(prefix.length)
      .split('/')
    if (streams !== 'Streams' || messages !== 'Messages' || more !== undefined) return undefined
    return answerWith(log, 'publish', 'POST', () => {
      if (isClosed()) return problemAnswer('unavailable', { 'retry-after': '2' })
      return publishForm(service, {
        caller: basicCaller(authorization, options, { url: target, clientAddress, header: none }, Date.now()),
        serviceSid: serviceSidOf(serviceSegment, services),
        streamSegment,
        readBody: async () => checkForm(await readBody(), contentType),
      })
    })
  }
}
