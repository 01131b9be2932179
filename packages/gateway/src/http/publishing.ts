import type { Caller } from '../access/caller.ts'
import { type Answer, textAnswer } from '../base/answer.ts'
import { ApiError } from '../base/problem.ts'
import type { StreamRecord } from '../registry/stream-record.ts'
import { dataJson } from '../streams/message-json.ts'
import { answerToRefusal } from '../streams/refusal.ts'
import type { StreamService } from '../streams/stream-service.ts'
import { parseStrictJson } from '../streams/strict-json.ts'
import { streamIdOf } from './exchange.ts'
import { decodeField, Form } from './form.ts'

/** A request to publish, whichever server it came through. */
export interface PublishRequest {
  readonly caller: Caller
  readonly serviceSid: string
  /** What stands for the stream in the path, still percent-encoded. */
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
  const result = service.publish(record, new UnreadData(raw))
  if (!result.ok) return answerToRefusal(result)
  return textAnswer(`{"sid":"${result.message.sid}","data":${dataJson(result.message)}}`, 201)
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
