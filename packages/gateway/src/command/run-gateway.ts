import { createGateway, memoryRegistry, type StreamRegistry } from '@rivulet/twilio'
import { type NatsRegistryOptions, openNatsRegistry } from '@rivulet/twilio/registry-nats'
import { pino } from 'pino'
import {
  createHub,
  type Hub,
  type HubConfig,
  type HubOptions,
  loadTransport,
  openHub,
  RivuletError,
} from 'rivulet'
import type { ApiKey } from '../access/key-ring.ts'
import type { GatewayLog } from '../base/gateway-log.ts'
import { invalid } from '../base/invalid.ts'
import { decodeSegment } from '../base/segment.ts'
import type { Gateway } from '../gateway/gateway.ts'
import { type MetricsServer, serveMetrics } from '../metrics/serve-metrics.ts'
import { type Relay, relay } from '../pages/relay/relay.ts'
import { serve } from '../server/serve.ts'
import { nameOf, type ServiceSettings } from './service-settings.ts'
import type { Settings } from './settings.ts'

const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent']

/** A gateway with its hubs and its registry. */
export interface RunningGateway {
  readonly log: GatewayLog
  /** The URL that it listens on. */
  readonly url: string
  /** Whether every client on this machine is let in, so that there are no keys to be read anew. */
  readonly isOpen: boolean
  /** Takes the keys that `read` gives. When it throws, or they are wrong, the keys stay, and the log says why. */
  reloadKeys(read: () => readonly ApiKey[]): void
  /** Ends the listeners, closes everything in turn, and is bounded in time. */
  close(): Promise<void>
}

/**
 * Opens what the settings describe, and serves it. What was opened is closed again when something fails. `timeoutMs` is how
 * long a hub waits for its broker; without it as long as `openHub` does.
 */
export async function runGateway(settings: Settings, timeoutMs?: number): Promise<RunningGateway> {
  if (!LOG_LEVELS.includes(settings.logLevel)) {
    throw invalid(`The log level is one of ${LOG_LEVELS.join(', ')}.`)
  }
  // Written at once: what is still on its way when the process exits comes out of order, or not at all.
  const log = pino({ level: settings.logLevel, base: undefined }, pino.destination({ sync: true }))
  const hubs: Hub[] = []
  let registry: StreamRegistry | undefined
  let metrics: MetricsServer | undefined
  try {
    const { services, relays } = await noted(log, 'broker', openServices(settings, hubs, timeoutMs))
    registry = await noted(log, 'registry', registryOf(settings, timeoutMs))
    const gateway = createGateway({ ...optionsOf(settings), services, relays, registry, log })
    metrics = await metricsServerOf(settings, gateway)
    if (metrics !== undefined) log.info({ url: metrics.url }, 'serving metrics')
    const server = await serve(gateway, { port: settings.port, hostname: settings.host })
    log.info({ url: server.url, pid: process.pid }, 'listening')
    const close = async () => {
      await drain(gateway, log, settings.drainSeconds)
      log.info({}, 'closing')
      await server.close()
      await metrics?.close()
      await Promise.all(hubs.map((hub) => hub.close()))
      log.info({}, 'closed')
    }
    return {
      log,
      url: server.url,
      isOpen: gateway.isOpen,
      reloadKeys: (read) => reloadKeys(gateway, log, read),
      close,
    }
  } catch (error) {
    await Promise.all([metrics?.close(), registry?.close(), ...hubs.map((hub) => hub.close())])
    throw error
  }
}

// What usually takes a few milliseconds.
const NOTED_AFTER_MS = 1000
// As long as a hub waits for its broker. The members of a NATS cluster that starts agree on a leader within seconds.
const REGISTRY_TIMEOUT_MS = 10_000
const REGISTRY_RETRY_MS = 500

/** Writes a line while the start waits for something: whoever sees no `listening` would not know why. */
async function noted<Result>(log: GatewayLog, what: string, work: Promise<Result>): Promise<Result> {
  const note = () => log.info({}, `waiting for the ${what}`)
  const timer = setTimeout(note, NOTED_AFTER_MS)
  try {
    return await work
  } finally {
    clearTimeout(timer)
  }
}

/** Opens the registry, and tries again while it can't be reached. */
async function registryOf(settings: Settings, timeoutMs = REGISTRY_TIMEOUT_MS): Promise<StreamRegistry> {
  const deadlineMs = performance.now() + timeoutMs
  for (;;) {
    try {
      return await openRegistry(settings)
    } catch (error) {
      const isAway = RivuletError.is(error) && error.code === 'TRANSPORT_UNAVAILABLE'
      if (!isAway || performance.now() > deadlineMs) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, REGISTRY_RETRY_MS))
  }
}

/** Lets load balancers notice before the port closes. */
async function drain(gateway: Gateway, log: GatewayLog, seconds: number): Promise<void> {
  gateway.drain()
  if (seconds === 0) return
  log.info({ seconds }, 'draining')
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
}

async function metricsServerOf(settings: Settings, gateway: Gateway): Promise<MetricsServer | undefined> {
  const { metricsPort, metricsHost } = settings
  if (metricsPort === undefined) return undefined
  return serveMetrics(gateway, { port: metricsPort, hostname: metricsHost })
}

/** Opens the hub of each service, with a relay where pages are served. `hubs` has what is open when one fails. */
async function openServices(settings: Settings, hubs: Hub[], timeoutMs: number | undefined) {
  const services: Record<string, Hub> = {}
  const relays: Record<string, Relay> = {}
  for (const [sid, service] of Object.entries(settings.services)) {
    if (settings.pages) relays[sid] = await relayOf(service)
    services[sid] = await hubOf(service, relays[sid], timeoutMs)
    hubs.push(services[sid])
  }
  return { services, relays }
}

/** Makes the relay that the hub and the pages share. `loadTransport` refuses anything but URLs. */
async function relayOf({ transport }: ServiceSettings): Promise<Relay> {
  if (transport === undefined) return relay()
  return relay(await loadTransport(transport as string | readonly string[]))
}

async function hubOf(
  service: ServiceSettings,
  relay: Relay | undefined,
  timeoutMs: number | undefined,
): Promise<Hub> {
  const transport = relay ?? service.transport
  if (transport === undefined) return createHub(service as HubOptions)
  // The name may be in a URL, which is not read where a relay takes its place.
  const name = nameOf(service)
  return openHub({ ...service, ...(name !== undefined && { name }), transport } as HubConfig, { timeoutMs })
}

async function openRegistry(settings: Settings): Promise<StreamRegistry> {
  const { registry, registryBucket: bucket, registryReplicas: replicas, services } = settings
  if (registry === 'memory') return memoryRegistry()
  const [first] = Object.values(services)
  const { transport = [] } = first ?? {}
  const urls = registry === 'nats' ? transport : registry
  const given = { ...(bucket !== undefined && { bucket }), ...(replicas !== undefined && { replicas }) }
  return openNatsRegistry({
    ...natsOptionsOf([urls].flat().filter((url) => typeof url === 'string')),
    ...given,
  })
}

function reloadKeys(gateway: Gateway, log: GatewayLog, read: () => readonly ApiKey[]): void {
  try {
    const keys = read()
    gateway.setKeys(keys)
    log.info({ keys: keys.length }, 'the keys were read anew')
  } catch (error) {
    // Of other errors the message may hold anything.
    const reason = RivuletError.is(error) ? error.message : undefined
    log.error({ reason }, 'the keys stay as they were: what was read can not be used')
  }
}

function optionsOf(settings: Settings) {
  const { keys, open, allowedHosts, playground, cors } = settings
  const names = ['accountSid', 'publicUrl', 'twilsock', 'limits', 'maxTokenLifeSeconds'] as const
  const given = names.map((name) => [name, settings[name]]).filter(([, value]) => value !== undefined)
  return { keys, open, allowedHosts, playground, corsOrigins: cors, ...Object.fromEntries(given) }
}

/** Reads `nats://user:password@host:port` URLs of one cluster. Throws `INVALID_OPTIONS`, without any secret. */
function natsOptionsOf(urls: readonly string[]): NatsRegistryOptions {
  const parsed = urls.map(parse)
  // Credentials may be in one URL only, whichever it is, as in those of the transport.
  const holder = parsed.find(({ username }) => username !== '') ?? parsed[0]
  if (holder === undefined) throw invalidRegistry()
  const [user, password] = [decodeSegment(holder.username), decodeSegment(holder.password)]
  if (user === undefined || password === undefined) throw invalidRegistry()
  return {
    servers: parsed.map(({ protocol, host }) => `${protocol}//${host}`),
    ...(password !== '' && { user, password }),
    ...(password === '' && user !== '' && { token: user }),
  }
}

function parse(text: string): URL {
  if (!URL.canParse(text)) throw invalidRegistry()
  const url = new URL(text)
  if (url.protocol !== 'nats:' && url.protocol !== 'tls:') throw invalidRegistry()
  return url
}

function invalidRegistry(): RivuletError {
  return invalid(
    'The registry is memory, nats (with a transport of nats:// or tls://), or such a URL of its own, percent-encoded.',
  )
}
