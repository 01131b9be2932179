import { type Answer, ApiError, asksForEvents, type Listening, messageEvent } from '@rivulet/gateway/protocol'
import { PROBLEMS } from '../base/problem.ts'
import type { StreamService } from '../streams/stream-service.ts'
import { type Exchange, streamIdOf } from './exchange.ts'

/** Answers a request to listen to a stream. Throws 20004 for one that does not ask for Server-Sent Events. */
export async function listenRequest(
  service: StreamService,
  listening: Listening,
  exchange: Exchange,
): Promise<Answer> {
  const { caller, serviceSid, streamSegment, request } = exchange
  if (!asksForEvents(request)) throw new ApiError(PROBLEMS.listenBySse, { allow: 'POST, GET' })
  const found = service.find(caller, serviceSid, streamIdOf(streamSegment), ['listen'])
  // Not waited for without need: the stream could end meanwhile.
  const record = found instanceof Promise ? await found : found
  return listening.listen(exchange, (listener) => service.listen(record, listener, messageEvent))
}
