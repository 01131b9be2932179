import { basicCaller } from '../access/caller-of.ts'
import type { NoteForwarding } from '../access/forwarding.ts'
import { type Answer, unavailableAnswer } from '../base/answer.ts'
import { answerWith, type LogLine } from '../base/answering.ts'
import type { StreamService } from '../streams/stream-service.ts'
import { checkForm, MAX_BODY_BYTES } from './form.ts'
import { publishForm } from './publishing.ts'
import type { RouterOptions } from './router.ts'
import { serviceSidOf } from './services-api.ts'

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

/** Answers a direct request, or gives `undefined` for one that `fetch` has to answer. Never rejects. */
export type DirectPublish = (request: DirectRequest) => Promise<Answer> | undefined

// What a URL may hold without being rewritten by its parser; a segment of dots would be.
const PLAIN_TARGET = /^(?:\/(?!\.)[\w%~!$&'()*+,;=:@.-]+)+$/

/**
 * Makes the short way for `POST …/Messages` with HTTP Basic, which is what server SDKs send: the rules are those of
 * every other way, but no web `Request`, `Response` or router is made. Only for a gateway with keys.
 */
export function makeDirectPublish(
  options: RouterOptions,
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
