import { ApiError } from '../base/problem.ts'
import type { StreamRegistry } from '../registry/registry.ts'
import { hubNameOf, isUniqueName, type StreamRecord } from '../registry/stream-record.ts'
import type { LiveStreams } from '../streams/live-streams.ts'
import { demand, demandStream, type Exchange } from './exchange.ts'
import { readForm } from './form.ts'
import { jsonResponse } from './json-response.ts'
import { pageOf } from './paging.ts'
import { streamResource } from './stream-resource.ts'

// A year, as Twilio Sync has it.
const LONGEST_TTL_SECONDS = 31_536_000

/** Creates, lists, fetches, changes and removes streams, as Twilio's REST API does. */
export class StreamsApi {
  readonly #registry: StreamRegistry
  readonly #live: LiveStreams
  readonly #accountSid: string

  constructor(registry: StreamRegistry, live: LiveStreams, accountSid: string) {
    this.#registry = registry
    this.#live = live
    this.#accountSid = accountSid
  }

  async create(exchange: Exchange): Promise<Response> {
    const form = await readForm(exchange.request)
    const uniqueName = form.get('UniqueName') ?? null
    demand(exchange, ['manage'], uniqueName ?? 'anonymous/')
    if (uniqueName !== null && !isUniqueName(uniqueName)) throw new ApiError('badName')
    const ttlSeconds = ttlOf(form.get('Ttl') ?? '')
    const record = await this.#registry.create(exchange.serviceSid, uniqueName, ttlSeconds)
    if (record === undefined) throw new ApiError('nameTaken')
    return this.#answer(exchange, record, 201)
  }

  async list(exchange: Exchange): Promise<Response> {
    demand(exchange, ['manage'])
    const { caller, serviceSid, request } = exchange
    const servicesUrl = exchange.servicesUrl()
    const all = await this.#registry.list(serviceSid)
    const own = all.filter((record) => caller.may('manage', serviceSid, hubNameOf(record)))
    const listUrl = `${servicesUrl}/${serviceSid}/Streams`
    const { records, meta } = pageOf(own, new URL(request.url).searchParams, listUrl)
    const streams = records.map((record) => streamResource(record, this.#accountSid, servicesUrl))
    return jsonResponse({ streams, meta }, 200)
  }

  async fetch(exchange: Exchange): Promise<Response> {
    const record = await demandStream(exchange, this.#registry, ['manage', 'listen', 'publish'])
    return this.#answer(exchange, record, 200)
  }

  async update(exchange: Exchange): Promise<Response> {
    const record = await demandStream(exchange, this.#registry, ['manage'])
    const ttl = (await readForm(exchange.request)).get('Ttl')
    if (ttl === undefined) throw new ApiError('noParameters')
    const updated = await this.#registry.setTtl(record, ttlOf(ttl))
    if (updated === undefined) throw new ApiError('notFound')
    return this.#answer(exchange, updated, 200)
  }

  async remove(exchange: Exchange): Promise<Response> {
    const record = await demandStream(exchange, this.#registry, ['manage'])
    if (!(await this.#live.remove(record))) throw new ApiError('notFound')
    return new Response(null, { status: 204 })
  }

  #answer({ servicesUrl }: Exchange, record: StreamRecord, status: number): Response {
    return jsonResponse(streamResource(record, this.#accountSid, servicesUrl()), status)
  }
}

function ttlOf(text: string): number {
  if (text === '') return 0
  const seconds = /^\d{1,8}$/.test(text) ? Number(text) : Number.NaN
  if (!(seconds <= LONGEST_TTL_SECONDS)) throw new ApiError('badTtl')
  return seconds
}
