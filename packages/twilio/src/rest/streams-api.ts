import { type Answer, ApiError, emptyAnswer, jsonAnswer } from '@rivulet/gateway/protocol'
import { PROBLEMS } from '../base/problem.ts'
import type { StreamRegistry } from '../registry/registry.ts'
import { hubNameOf, type StreamRecord } from '../registry/stream-record.ts'
import { streamResource } from '../streams/stream-resource.ts'
import { checkTtl, type StreamService } from '../streams/stream-service.ts'
import { type Exchange, streamIdOf } from './exchange.ts'
import { readForm } from './form.ts'
import { pageMeta, readPageRequest } from './paging.ts'

/** Creates, lists, fetches, changes and removes streams, as Twilio's REST API does. */
export class StreamsApi {
  readonly #service: StreamService
  readonly #registry: StreamRegistry
  readonly #accountSid: string

  constructor(service: StreamService, registry: StreamRegistry, accountSid: string) {
    this.#service = service
    this.#registry = registry
    this.#accountSid = accountSid
  }

  async create(exchange: Exchange): Promise<Answer> {
    const { caller, serviceSid, request } = exchange
    this.#service.demand(caller, serviceSid, ['manage'])
    const form = await readForm(request)
    const ttlSeconds = ttlOf(form.get('Ttl') ?? '')
    const uniqueName = form.get('UniqueName') ?? null
    const record = await this.#service.create(caller, serviceSid, uniqueName, ttlSeconds)
    return this.#answer(exchange, record, 201)
  }

  async list(exchange: Exchange): Promise<Answer> {
    const { caller, serviceSid, request } = exchange
    this.#service.demand(caller, serviceSid, ['manage'])
    const servicesUrl = exchange.servicesUrl()
    const asked = readPageRequest(new URL(request.url).searchParams)
    const accepts = (record: StreamRecord) => caller.may('manage', serviceSid, hubNameOf(record))
    const page = await this.#registry.page(serviceSid, { size: asked.size, from: asked.from, accepts })
    const streams = page.records.map((record) => this.#resource(record, servicesUrl))
    const meta = pageMeta(page, asked, `${servicesUrl}/${serviceSid}/Streams`)
    return jsonAnswer({ streams, meta }, 200)
  }

  async fetch(exchange: Exchange): Promise<Answer> {
    return this.#answer(exchange, await this.#find(exchange, ['manage', 'listen', 'publish']), 200)
  }

  async update(exchange: Exchange): Promise<Answer> {
    const record = await this.#find(exchange, ['manage'])
    const ttl = (await readForm(exchange.request)).get('Ttl')
    if (ttl === undefined) throw new ApiError(PROBLEMS.noParameters)
    return this.#answer(exchange, await this.#service.setTtl(record, ttlOf(ttl)), 200)
  }

  async remove(exchange: Exchange): Promise<Answer> {
    await this.#service.remove(await this.#find(exchange, ['manage']))
    return emptyAnswer(204)
  }

  #find(
    { caller, serviceSid, streamSegment }: Exchange,
    actions: readonly ('publish' | 'listen' | 'manage')[],
  ): StreamRecord | Promise<StreamRecord> {
    return this.#service.find(caller, serviceSid, streamIdOf(streamSegment), actions)
  }

  #answer({ servicesUrl }: Exchange, record: StreamRecord, status: number): Answer {
    return jsonAnswer(this.#resource(record, servicesUrl()), status)
  }

  #resource(record: StreamRecord, servicesUrl: string): Record<string, unknown> {
    const url = `${servicesUrl}/${record.serviceSid}/Streams/${record.sid}`
    return streamResource(record, this.#accountSid, url)
  }
}

function ttlOf(text: string): number {
  if (text === '') return 0
  return checkTtl(/^\d{1,8}$/.test(text) ? Number(text) : undefined)
}
