import {
  type Answer,
  Listening,
  type Protocol,
  type ProtocolCounts,
  type ProtocolHost,
  type ProtocolRoute,
  type SocketEndpoint,
  type TextRoute,
} from '@rivulet/gateway/protocol'
import type { Hub } from 'rivulet'
import { PROBLEMS, problemAnswer, writeProblem } from '../base/problem.ts'
import type { Exchange } from '../rest/exchange.ts'
import { MAX_BODY_BYTES } from '../rest/form.ts'
import { listenRequest } from '../rest/listening.ts'
import openApi from '../rest/openapi.json' with { type: 'json' }
import { beginPublish, publishRequest } from '../rest/publishing.ts'
import { ServicesApi, serviceSidOf } from '../rest/services-api.ts'
import { StreamsApi } from '../rest/streams-api.ts'
import { LiveStreams } from '../streams/live-streams.ts'
import { StreamService } from '../streams/stream-service.ts'
import { Connections } from '../twilsock/connections.ts'
import type { TwilsockHandler, TwilsockSocket } from '../twilsock/socket.ts'
import {
  isTwilsockServed,
  type ResolvedTwilioOptions,
  resolveOptions,
  type TwilioOptions,
} from './twilio-options.ts'

const SERVICES = '/v1/Services'
const SERVICE = `${SERVICES}/:service`
const STREAMS = `${SERVICE}/Streams`
const STREAM = `${STREAMS}/:stream`
const MESSAGES = `${STREAM}/Messages`
const API_PATH = /^\/v1\/Services(?:\/[^/]+(\/Streams(\/[^/]+(\/Messages)?)?)?)?$/

type ApiRoute = readonly [
  method: string,
  path: string,
  name: string,
  handle: (exchange: Exchange) => Answer | Promise<Answer>,
  text?: TextRoute,
]

const DESCRIPTION = JSON.stringify(openApi)
// The SDK's own frames have 13 kB at the most; publishes are as large as applications make them.
const MAX_SOCKET_MESSAGE_BYTES = 1_048_576

/**
 * Gives the protocols of Twilio Sync, for the option `protocol` of `createGateway` of `@rivulet/gateway`. Throws
 * `INVALID_OPTIONS`.
 */
export function twilio(options: TwilioOptions = {}): (host: ProtocolHost) => TwilioProtocol {
  const resolved = resolveOptions(options)
  return (host) => new TwilioProtocol(resolved, host)
}

/** The protocols of Twilio Sync: its REST API with Server-Sent Events, and that of its client SDKs. */
export class TwilioProtocol implements Protocol {
  readonly routes: readonly ProtocolRoute[]
  readonly sockets: readonly SocketEndpoint[]
  readonly description = DESCRIPTION
  readonly writeProblem = writeProblem
  readonly #options: ResolvedTwilioOptions
  readonly #host: ProtocolHost
  readonly #live: LiveStreams
  readonly #listening: Listening
  readonly #connections: Connections

  constructor(options: ResolvedTwilioOptions, host: ProtocolHost) {
    const { registry, limits } = options
    this.#options = options
    this.#host = host
    this.sockets = isTwilsockServed(options, host.isOpen) ? [this.#endpoint()] : []
    this.#live = new LiveStreams(host.services, registry)
    const service = new StreamService(registry, this.#live, limits.streams)
    this.#listening = new Listening(limits.listeners)
    this.#connections = new Connections(service, {
      verify: (token) => host.verifyAccessToken(token),
      accountSid: host.accountSid,
      log: host.log,
      limits: limits.sdk,
      epoch: () => registry.epoch,
    })
    this.routes = this.#routesTo(service)
  }

  get counts(): ProtocolCounts {
    const { listeners, sent, dropped } = this.#listening.counts
    const connections = this.#connections.snapshot
    return {
      listeners,
      connections: connections.connections,
      subscriptions: connections.subscriptions,
      sent: sent + connections.sent,
      dropped: dropped + connections.dropped,
    }
  }

  get status(): 'up' | 'degraded' {
    return this.#options.registry.status === 'up' ? 'up' : 'degraded'
  }

  unknownRoute(path: string): Answer {
    const [isKnown, streams, stream, messages] = API_PATH.exec(path) ?? []
    if (isKnown === undefined) return problemAnswer(PROBLEMS.notFound)
    if (messages !== undefined) return problemAnswer(PROBLEMS.listenBySse, { allow: 'POST, GET' })
    if (streams === undefined) return problemAnswer(PROBLEMS.methodNotAllowed, { allow: 'GET' })
    return problemAnswer(PROBLEMS.methodNotAllowed, { allow: stream ? 'GET, POST, DELETE' : 'GET, POST' })
  }

  accept(socket: TwilsockSocket): TwilsockHandler {
    return this.#connections.accept(socket)
  }

  endOf(keySids: ReadonlySet<string>): void {
    this.#listening.endOf(keySids)
    this.#connections.endOf(keySids)
  }

  async close(): Promise<void> {
    this.#connections.close()
    this.#live.close()
    await this.#options.registry.close()
  }

  #endpoint(): SocketEndpoint {
    return {
      path: '/v3/wsconnect',
      maxMessageBytes: MAX_SOCKET_MESSAGE_BYTES,
      accept: (socket) => this.accept(socket),
    }
  }

  #routesTo(service: StreamService): readonly ProtocolRoute[] {
    const { registry } = this.#options
    const { accountSid, services: hubs } = this.#host
    const listening = this.#listening
    const streams = new StreamsApi(service, registry, accountSid)
    const services = new ServicesApi(this.#host)
    const publishText: TextRoute = {
      maxBytes: MAX_BODY_BYTES,
      begin: ({ caller, path, contentType }) =>
        beginPublish(service, { caller, ...placeOf(path, hubs) }, contentType),
    }
    const routes: readonly ApiRoute[] = [
      [
        'POST',
        MESSAGES,
        'publish',
        (exchange) => publishRequest(service, exchange, exchange.request),
        publishText,
      ],
      ['GET', MESSAGES, 'listen', (exchange) => listenRequest(service, listening, exchange)],
      ['GET', STREAM, 'fetch', (exchange) => streams.fetch(exchange)],
      ['POST', STREAM, 'update', (exchange) => streams.update(exchange)],
      ['DELETE', STREAM, 'remove', (exchange) => streams.remove(exchange)],
      ['POST', STREAMS, 'create', (exchange) => streams.create(exchange)],
      ['GET', STREAMS, 'list', (exchange) => streams.list(exchange)],
      ['GET', SERVICE, 'service', (exchange) => services.fetch(exchange)],
      ['GET', SERVICES, 'services', (exchange) => services.list(exchange)],
    ]
    return routes.map(([method, path, name, handle, text]) => ({
      method,
      path,
      name,
      text,
      handle: ({ path: given, baseUrl, ...request }) => {
        const servicesUrl = () => `${baseUrl()}${SERVICES}`
        return handle({ ...request, ...placeOf(given, hubs), servicesUrl })
      },
    }))
  }
}

/** Reads the service and the stream from a path. Throws 20404 for an unknown service. */
function placeOf(path: string, services: ReadonlyMap<string, Hub>) {
  const [, , , segment = 'default', , streamSegment = ''] = path.split('/')
  return { serviceSid: serviceSidOf(segment, services), streamSegment }
}
