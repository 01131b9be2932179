import { type Answer, ApiError, type Caller } from '@rivulet/gateway/protocol'
import { PROBLEMS } from '../base/problem.ts'
import type { StreamRecord } from '../registry/stream-record.ts'
import { publishAnswer } from '../streams/publish-answer.ts'
import type { StreamService } from '../streams/stream-service.ts'
import { parseStrictJson } from '../streams/strict-json.ts'
import { streamIdOf } from './exchange.ts'
import { checkForm, decodeField, Form, readFormText } from './form.ts'

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

/**
 * Takes the body of a publish as a text. The body of a caller who may not publish is not read; whether the stream was
 * found is answered once the body is there, where the registry has to ask for it. Throws as `find`.
 */
export function beginPublish(
  service: StreamService,
  publisher: Publisher,
  contentType: string | null,
): (text: string) => Answer | Promise<Answer> {
  const found = findFor(service, publisher)
  const publish = (text: string) => publishForm(service, publisher, checkForm(text, contentType))
  if (!(found instanceof Promise)) return publish
  found.catch(() => {})
  return (text) => found.then(() => publish(text))
}
