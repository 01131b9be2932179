import {
  type Answer,
  ApiError,
  type Caller,
  decodeSegment,
  emptyAnswer,
  jsonAnswer,
} from '@rivulet/gateway/protocol'
import { PROBLEMS } from '../base/problem.ts'
import type { StreamRecord } from '../registry/stream-record.ts'
import { publishAnswer } from '../streams/publish-answer.ts'
import { streamResource } from '../streams/stream-resource.ts'
import { checkTtl, type StreamService } from '../streams/stream-service.ts'
import { parseStrictJson } from '../streams/strict-json.ts'
import { type Frame, textOf } from './frame.ts'
import type { SubscriptionRequest, Subscriptions } from './subscriptions.ts'
import { answerToStreamError, answerWithProblem, TWILSOCK_PROBLEMS } from './twilsock-problem.ts'

/** An HTTP request that came in a frame. */
export interface TunnelledRequest {
  readonly method: string
  readonly path: string
  readonly host: string
  readonly payload: Uint8Array
}

/** The caller, and the services that it may use. */
export interface RequestContext {
  readonly caller: Caller
  readonly streams: StreamService
  readonly subscriptions: Subscriptions
  readonly accountSid: string
}

type Route = (context: RequestContext, request: TunnelledRequest, id: string) => Answer | Promise<Answer>

const ROUTES: Readonly<Record<string, Route>> = {
  'POST Subscriptions': changeSubscriptions,
  'POST Streams': create,
  'GET Stream': open,
  'POST Stream': setTtl,
  'DELETE Stream': remove,
  'POST Messages': publish,
}
// A message has 4 KiB; escapes make at most some sixteen times as much of it.
const MAX_BODY_BYTES = 65_536
const MAX_BATCH = 100
// How long a client waits for what was not confirmed, before it asks again. Longer than topics take to be joined.
const SUBSCRIPTION_ANSWER = { max_batch_size: MAX_BATCH, estimated_delivery_in_ms: 5000, ttl_in_s: -1 }
const TWILIO_HOST = 'cds.us1.twilio.com'
const HOST = /^[\w.-]{1,255}(:\d{1,5})?$/
const OPENERS = ['manage', 'listen', 'publish'] as const

/** Reads the request in a frame, or gives `undefined` when there is none. */
export function requestIn({ header, payload }: Frame): TunnelledRequest | undefined {
  const { http_request: request } = header
  if (typeof request !== 'object' || request === null) return undefined
  const { method, path, host } = request as Record<string, unknown>
  if (typeof method !== 'string' || typeof path !== 'string') return undefined
  return { method, path, host: typeof host === 'string' && HOST.test(host) ? host : TWILIO_HOST, payload }
}

/** Returns the kind of a request, in words that a log may have: `none` for what is not served. */
export function routeNameOf(request: TunnelledRequest): string {
  const { name } = routeOf(request)
  return Object.hasOwn(ROUTES, name) ? name : 'none'
}

/** Answers a request. Rejects with what is wrong with the gateway, never with what is wrong with the request. */
export async function answerRequest(context: RequestContext, request: TunnelledRequest): Promise<Answer> {
  const { name, id: segment } = routeOf(request)
  const route = Object.hasOwn(ROUTES, name) ? ROUTES[name] : undefined
  if (route === undefined) return answerWithProblem(TWILSOCK_PROBLEMS.notServed)
  const id = decodeSegment(segment)
  if (id === undefined) return answerWithProblem(TWILSOCK_PROBLEMS.unknownName)
  try {
    return await route(context, request, id)
  } catch (error) {
    const answer = answerToStreamError(error, id)
    if (answer === undefined) throw error
    return answer
  }
}

function routeOf({ method, path }: TunnelledRequest): { readonly name: string; readonly id: string } {
  // Split before it is decoded, since a name may hold a slash; `.` and `..` are names like others.
  const [root, version, collection, segment, messages, ...rest] = path.split('/')
  const isShort = root === '' && rest.length === 0
  if (isShort && version === 'v4' && collection === 'Subscriptions' && segment === undefined) {
    return { name: `${method} Subscriptions`, id: '' }
  }
  if (!isShort || version !== 'v3' || collection !== 'Streams') return { name: 'none', id: '' }
  if (segment === undefined) return { name: `${method} Streams`, id: '' }
  const kind = messages === undefined ? 'Stream' : messages === 'Messages' ? 'Messages' : 'none'
  return { name: `${method} ${kind}`, id: segment }
}

async function open(context: RequestContext, request: TunnelledRequest, id: string): Promise<Answer> {
  const { caller, streams } = context
  return describe(context, request, await streams.find(caller, serviceOf(caller), id, OPENERS), 200)
}

async function create(context: RequestContext, request: TunnelledRequest): Promise<Answer> {
  const { caller, streams } = context
  const { unique_name: name = null, ttl } = readBody(request)
  if (name !== null && typeof name !== 'string') throw new ApiError(PROBLEMS.badName)
  return describe(context, request, await streams.create(caller, serviceOf(caller), name, ttlOf(ttl)), 201)
}

async function setTtl(context: RequestContext, request: TunnelledRequest, id: string): Promise<Answer> {
  const { caller, streams } = context
  const record = await streams.find(caller, serviceOf(caller), id, ['manage'])
  const { ttl } = readBody(request)
  if (ttl === undefined) throw new ApiError(PROBLEMS.noParameters)
  return describe(context, request, await streams.setTtl(record, ttlOf(ttl)), 200)
}

/** The payload is not looked at: the SDK sends the text `data_sync` and calls it JSON. */
async function remove(context: RequestContext, _request: TunnelledRequest, id: string): Promise<Answer> {
  const { caller, streams, subscriptions } = context
  const found = streams.findCurrent(caller, serviceOf(caller), id, ['manage'])
  const record = found instanceof Promise ? await found : found
  const subscription = subscriptions.of(record.sid)
  if (subscription !== undefined) subscription.isRemovedHere = true
  try {
    await streams.remove(record)
  } catch (cause) {
    if (subscription !== undefined) subscription.isRemovedHere = false
    throw cause
  }
  return emptyAnswer(204)
}

async function publish(context: RequestContext, request: TunnelledRequest, id: string): Promise<Answer> {
  const { caller, streams, subscriptions } = context
  const found = streams.findCurrent(caller, serviceOf(caller), id, ['publish'])
  const record = found instanceof Promise ? await found : found
  const { data } = readBody(request)
  if (typeof data !== 'object' || data === null || Array.isArray(data)) throw new ApiError(PROBLEMS.noData)
  const result = streams.publish(record, data, subscriptions.of(record.sid))
  // Answered as an unknown stream, in the codes of client SDKs.
  if (!result.ok && result.code === 'STREAM_CLOSED') throw new ApiError(PROBLEMS.notFound)
  return publishAnswer(result)
}

async function changeSubscriptions(context: RequestContext, request: TunnelledRequest): Promise<Answer> {
  const { caller, subscriptions } = context
  const { action, correlation_id: correlationId, requests } = readBody(request)
  // A number, which comes back as the same number: clients know the outcome by it.
  if (typeof correlationId !== 'number' || !isBatch(requests)) {
    return answerWithProblem(TWILSOCK_PROBLEMS.badSubscription)
  }
  if (action === 'cancel') subscriptions.cancel(correlationId, requests)
  else if (action !== 'establish') return answerWithProblem(TWILSOCK_PROBLEMS.badSubscription)
  else if (!(await subscriptions.establish(caller, correlationId, requests))) {
    return answerWithProblem(TWILSOCK_PROBLEMS.subscribeLater)
  }
  return jsonAnswer(SUBSCRIPTION_ANSWER, 200)
}

function isBatch(requests: unknown): requests is readonly SubscriptionRequest[] {
  if (!Array.isArray(requests) || requests.length > MAX_BATCH) return false
  return requests.every((request: Partial<SubscriptionRequest> | null) => {
    return typeof request?.object_sid === 'string' && typeof request.object_type === 'string'
  })
}

/** URLs are absolute, since the SDK refuses others; they come back here, whatever their host is. */
function describe(
  { accountSid }: RequestContext,
  { host }: TunnelledRequest,
  record: StreamRecord,
  status: number,
): Answer {
  return jsonAnswer(streamResource(record, accountSid, `https://${host}/v3/Streams/${record.sid}`), status)
}

/** Reads the JSON object that a request brings; without a payload it is an empty one. Throws 54006 and 54008. */
function readBody({ payload }: TunnelledRequest): Record<string, unknown> {
  if (payload.length === 0) return {}
  if (payload.length > MAX_BODY_BYTES) throw new ApiError(PROBLEMS.tooLarge)
  const value = parse(textOf(payload))
  if (typeof value !== 'object' || value === null) throw new ApiError(PROBLEMS.badJson)
  return value as Record<string, unknown>
}

function parse(text: string | undefined): unknown {
  try {
    return parseStrictJson(text ?? '')
  } catch {
    throw new ApiError(PROBLEMS.badJson)
  }
}

function ttlOf(ttl: unknown): number {
  return ttl === undefined || ttl === null ? 0 : checkTtl(ttl)
}

/** An access token is for one service. */
function serviceOf({ serviceSid }: Caller): string {
  return serviceSid ?? ''
}
