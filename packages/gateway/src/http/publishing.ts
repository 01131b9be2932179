import type { Message, Refusal, Stream } from 'rivulet'
import { ApiError, type ProblemName, problemResponse } from '../base/problem.ts'
import type { StreamRegistry } from '../registry/registry.ts'
import type { LiveStreams } from '../streams/live-streams.ts'
import { demandStream, type Exchange } from './exchange.ts'
import { decodeField, readForm } from './form.ts'
import { dataJson } from './message-json.ts'

const PUBLISH = ['publish'] as const
const CREATED = { status: 201, headers: { 'content-type': 'application/json' } }

const PROBLEM_OF: Readonly<Record<Refusal['code'], ProblemName>> = {
  INVALID_DATA: 'badJson',
  PAYLOAD_TOO_LARGE: 'tooLarge',
  RATE_LIMITED: 'rateLimited',
  WAITING_LINE_FULL: 'rateLimited',
  SCHEMA_MISMATCH: 'wrongSchema',
  INVALID_OPTIONS: 'internal',
  STREAM_CLOSED: 'notFound',
  HUB_CLOSED: 'unavailable',
}

/** Publishes what a request brings, through the hub's stream: its limits decide, and its ledger counts. */
export class Publishing {
  readonly #registry: StreamRegistry
  readonly #live: LiveStreams

  constructor(registry: StreamRegistry, live: LiveStreams) {
    this.#registry = registry
    this.#live = live
  }

  async publish(exchange: Exchange): Promise<Response> {
    // Who may not publish is not read any further.
    const first = demandStream(exchange, this.#registry, PUBLISH)
    if (first instanceof Promise) await first
    const raw = (await readForm(exchange.request)).raw('Data')
    if (raw === undefined || raw === '') throw new ApiError('noData')
    // Again, since the stream may have ended while the body came.
    const found = demandStream(exchange, this.#registry, PUBLISH)
    const record = found instanceof Promise ? await found : found
    const result = this.#live
      .streamOf(record)
      .tryPublish(new UnreadData(raw) as Parameters<Stream['publish']>[0])
    return result.ok ? accepted(result.message) : refused(result)
  }
}

/** Data that is decoded and parsed only when the stream reads it, which it does after it has looked for room. */
class UnreadData {
  readonly #raw: string

  constructor(raw: string) {
    this.#raw = raw
  }

  toJSON(): unknown {
    return JSON.parse(decodeField(this.#raw))
  }
}

function accepted(message: Message): Response {
  return new Response(`{"sid":"${message.sid}","data":${dataJson(message)}}`, CREATED)
}

// Not thrown: in a flood the stack of an error would cost more than the refusal.
function refused({ code, retryAfterMs = 1000 }: Refusal): Response {
  const problem = PROBLEM_OF[code]
  // At a rate of 0 there will never be room.
  if (problem !== 'rateLimited' || !Number.isFinite(retryAfterMs)) return problemResponse(problem)
  return problemResponse(problem, { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) })
}
