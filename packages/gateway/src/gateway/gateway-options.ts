import type { Relay } from '@rivulet/websocket/relay'
import { FailedLogins } from '../access/failed-logins.ts'
import { type ApiKey, KeyRing } from '../access/key-ring.ts'
import { DEFAULT_TOKEN_LIFE_SECONDS, LONGEST_TOKEN_LIFE_SECONDS } from '../access/token.ts'
import { type GatewayLog, SILENT_LOG } from '../base/gateway-log.ts'
import { invalid } from '../base/invalid.ts'
import { checkNames, type Form, numberFrom } from '../base/options.ts'
import type { ListeningOptions } from '../http/listening.ts'
import type { RouterOptions } from '../http/router.ts'
import { memoryRegistry } from '../registry/memory-registry.ts'
import type { StreamRegistry } from '../registry/registry.ts'
import type { StreamLimits } from '../streams/stream-service.ts'
import { relaysOf, type ServicesOptions, servicesOf } from './services.ts'

/** How a gateway behaves. Either `hub` or `services`, and either `keys` or `open`. */
export interface GatewayOptions extends ServicesOptions {
  /** Who may ask, and for what. */
  readonly keys?: readonly ApiKey[] | undefined
  /** Lets everybody on this machine ask, without keys; see `allowedHosts`. @default false */
  readonly open?: boolean | undefined
  /** Without keys: names of this machine, beside localhost, 127.0.0.1 and [::1], that requests may be sent to. */
  readonly allowedHosts?: readonly string[] | undefined
  /** Origins of web pages that may ask, e.g. `https://app.example`; `'*'` is any (with keys only). @default none */
  readonly corsOrigins?: readonly string[] | undefined
  /** Knows which streams there are. @default memoryRegistry() */
  readonly registry?: StreamRegistry | undefined
  /** What stands as `account_sid` in answers. @default the first account among the keys, else `AC` and 32 zeros */
  readonly accountSid?: string | undefined
  /** How clients reach the gateway, e.g. `https://sync.example`; for the URLs in answers. @default as each one asks */
  readonly publicUrl?: string | undefined
  /** The path under which a server mounts the gateway, e.g. `/sync`. @default none */
  readonly basePath?: string | undefined
  /** How many seconds a token may live from when it is shown, 1 to 86400 (a day, as Twilio's). @default 3600 */
  readonly maxTokenLifeSeconds?: number | undefined
  /** Whether there is a page to try it out, `/playground`. It joins the first hub with a relay. @default false */
  readonly playground?: boolean | undefined
  /** How many listeners, and apart from those how many pages, each key may have at once. @default 2000 */
  readonly maxListenersPerKey?: number | undefined
  /**
   * How many listeners each browser token may have at once, and each identity of access tokens. The key behind it
   * counts them too. @default 100
   */
  readonly maxListenersPerHolder?: number | undefined
  /** How many streams each service may have at once. @default 50000 */
  readonly maxStreamsPerService?: number | undefined
  /** How many streams may be created a second in each service, after a burst of ten times as many. @default 20 */
  readonly creationsPerSecond?: number | undefined
  /** Whether Twilio's client SDKs are served, at `/v3/wsconnect`. They need keys. @default true with keys */
  readonly twilsock?: boolean | undefined
  /** How many connections of client SDKs, and apart from those how many pages, each identity may have. @default 20 */
  readonly maxConnectionsPerIdentity?: number | undefined
  /** How many streams each connection of a client SDK, and each page, may be subscribed to. @default 1000 */
  readonly maxSubscriptionsPerConnection?: number | undefined
  /** How many streams all pages of an identity together may be subscribed to. @default 10000 */
  readonly maxPageSubscriptionsPerIdentity?: number | undefined
  /** Bytes that may wait for a client SDK or a page that reads slowly; further messages are dropped. @default 1048576 */
  readonly maxConnectionWaitingBytes?: number | undefined
  /** How many messages a second each page may publish on each stream; as the streams' own limit. @default 30 */
  readonly pageRatePerSecond?: number | undefined
  /** How many of them at once. @default 30 */
  readonly pageBurst?: number | undefined
  /** Bytes that the data of a page's message may have, up to 65536; as the streams' own limit. @default 4096 */
  readonly pageMaxBytes?: number | undefined
  /** How many messages a second each page may publish on all streams. @default 300 */
  readonly maxPageMessagesPerSecond?: number | undefined
  /** Messages that may wait for a listener whose client reads slowly; the oldest give way. @default 256 */
  readonly maxWaitingMessages?: number | undefined
  /** Bytes that may wait for one. @default 1048576 */
  readonly maxWaitingBytes?: number | undefined
  /** Milliseconds between signs of life to idle listeners. @default 15000 */
  readonly heartbeatMs?: number | undefined
  /**
   * Milliseconds after which a listener or a client SDK that takes nothing, or gives no sign of life, is ended. `serve`
   * ends connections that take nothing earlier, by `writeStallMs`. @default 60000
   */
  readonly stallMs?: number | undefined
  /**
   * Takes log lines; a pino logger fits. It hears the errors of hubs, and writes their code and stream; the hub's event
   * `error` tells the rest. @default nothing is logged, and errors of hubs stay the hubs' own
   */
  readonly log?: GatewayLog | undefined
}

/** Options with every default filled in. */
export interface ResolvedGatewayOptions extends GatewayLimits, RouterOptions {
  readonly registry: StreamRegistry
  readonly relays: ReadonlyMap<string, Relay>
  readonly twilsock: boolean
}

const DEFAULT_ACCOUNT_SID = `AC${'0'.repeat(32)}`
const ACCOUNT_SID = /^AC[0-9a-fA-F]{32}$/
const BASE_PATH = /^(\/[\w.~-]+)+$/
const HOST = /^([^/:\s[\]]+|\[[\da-f:.]+\])$/i
// As browsers send it: lower case, no path. Apps have schemes of their own, e.g. capacitor://localhost.
const ORIGIN = /^[a-z][a-z\d+.-]*:\/\/[^/?#\sA-Z]+$/

/** Every option. */
const NAMES: Readonly<Record<keyof GatewayOptions, true>> = {
  ...{
    hub: true,
    services: true,
    relay: true,
    relays: true,
    keys: true,
    open: true,
    allowedHosts: true,
    corsOrigins: true,
  },
  ...{ registry: true, accountSid: true, publicUrl: true, basePath: true, playground: true, twilsock: true },
  ...{ maxListenersPerKey: true, maxListenersPerHolder: true, maxStreamsPerService: true },
  ...{ creationsPerSecond: true, maxConnectionsPerIdentity: true, maxSubscriptionsPerConnection: true },
  ...{ maxPageSubscriptionsPerIdentity: true },
  ...{ maxConnectionWaitingBytes: true, maxWaitingMessages: true, maxWaitingBytes: true },
  ...{ pageRatePerSecond: true, pageBurst: true, pageMaxBytes: true, maxPageMessagesPerSecond: true },
  ...{ heartbeatMs: true, stallMs: true, maxTokenLifeSeconds: true, log: true },
}

/** Checks the options. Throws `INVALID_OPTIONS`, without any secret. */
export function resolveOptions(options: GatewayOptions): ResolvedGatewayOptions {
  checkNames(options, NAMES)
  const { basePath = '', publicUrl, accountSid = DEFAULT_ACCOUNT_SID, log = SILENT_LOG } = options
  const open = switchOf('open', options.open)
  const corsOrigins = originsOf(options.corsOrigins)
  if (!ACCOUNT_SID.test(accountSid)) throw invalid('accountSid is AC followed by 32 hex digits.')
  const keys = new KeyRing(options.keys ?? [], options.accountSid)
  if (keys.isEmpty && !open) {
    throw invalid(
      'There are no keys; give some, or `open: true` (--open) to let everybody on this machine ask.',
    )
  }
  if (!keys.isEmpty && open) throw invalid('Give either keys or open, not both.')
  if (open && corsOrigins.includes('*')) throw invalid('Without keys, name the origins of pages one by one.')
  if (basePath !== '' && !BASE_PATH.test(basePath))
    throw invalid('basePath is like "/sync", without a slash at its end.')
  const services = servicesOf(options)
  const relays = relaysOf(options, services)
  warnOfShortSecrets(keys, log)
  return Object.freeze({
    services,
    relays,
    keys,
    failedLogins: new FailedLogins(log),
    isOpen: open,
    allowedHosts: hostsOf(options.allowedHosts),
    corsOrigins,
    registry: options.registry ?? memoryRegistry(),
    accountSid: keys.accountSid ?? accountSid,
    publicUrl: publicUrl === undefined ? undefined : originOf(publicUrl),
    basePath,
    playground: playgroundOf(options.playground, relays.size > 0),
    twilsock: twilsockOf(options.twilsock, open),
    log,
    ...limitsOf(options),
  })
}

/** Writes a line for each API key that can't sign tokens: whoever tries is only told that the token is not valid. */
export function warnOfShortSecrets(keys: KeyRing, log: GatewayLog): void {
  for (const key of keys.sidsWithoutTokens) {
    log.warn(
      { key },
      'the secret of an API key has under 32 characters, so no token that it signs is accepted',
    )
  }
}

function playgroundOf(given: unknown, hasRelay: boolean): boolean {
  const playground = switchOf('playground', given)
  if (hasRelay || !playground) return playground
  throw invalid(
    'The playground needs a relay: createGateway({ hub, relay, playground: true }); --no-pages turns it off.',
  )
}

function twilsockOf(given: unknown, open: boolean): boolean {
  const twilsock = switchOf('twilsock', given ?? !open)
  if (twilsock && open) throw invalid('Client SDKs come with tokens, so twilsock needs keys.')
  return twilsock
}

/** What is not true or false may come from a file: "false" must not open a gateway. */
function switchOf(name: string, value: unknown = false): boolean {
  if (typeof value !== 'boolean') throw invalid(`${name} is true or false.`)
  return value
}

function originsOf(value: unknown): readonly string[] {
  const origins = textsOf('corsOrigins', value)
  if (origins.every((origin) => origin === '*' || ORIGIN.test(origin))) return origins
  throw invalid(
    'An origin is like "https://app.example", in lower case and without a slash at its end, or "*".',
  )
}

function hostsOf(value: unknown): readonly string[] {
  const hosts = textsOf('allowedHosts', value)
  if (hosts.every((host) => HOST.test(host))) return hosts
  throw invalid('An allowed host is a name without a port, like "dev.local" or "[fd00::1]".')
}

function textsOf(name: string, value: unknown = []): readonly string[] {
  if (Array.isArray(value) && value.every((text) => typeof text === 'string')) return value
  throw invalid(`${name} is a list of texts.`)
}

function originOf(publicUrl: string): string {
  const isUrl = URL.canParse(publicUrl) && /^https?:$/.test(new URL(publicUrl).protocol)
  if (!isUrl) throw invalid('publicUrl is an http or https URL.')
  return publicUrl.replace(/\/+$/, '')
}

/** How much of everything there may be; each is explained in `GatewayOptions`. */
export interface GatewayLimits extends ListeningOptions, StreamLimits {
  readonly maxListenersPerHolder: number
  readonly maxConnectionsPerIdentity: number
  readonly maxSubscriptionsPerConnection: number
  readonly maxPageSubscriptionsPerIdentity: number
  readonly maxConnectionWaitingBytes: number
  readonly pageRatePerSecond: number
  readonly pageBurst: number
  readonly pageMaxBytes: number
  readonly maxPageMessagesPerSecond: number
  readonly maxTokenLifeSeconds: number
}

/** The name of a limit. */
export type LimitName = keyof GatewayLimits

/** What holds where nothing is given. */
export const LIMIT_DEFAULTS: GatewayLimits = {
  maxListenersPerKey: 2000,
  maxListenersPerHolder: 100,
  maxStreamsPerService: 50_000,
  // Twilio's: "creation of objects: under 20/s a service".
  creationsPerSecond: 20,
  maxConnectionsPerIdentity: 20,
  maxSubscriptionsPerConnection: 1000,
  // Ten pages with as many as each may have.
  maxPageSubscriptionsPerIdentity: 10_000,
  maxConnectionWaitingBytes: 1_048_576,
  // The core's own.
  pageRatePerSecond: 30,
  pageBurst: 30,
  pageMaxBytes: 4096,
  maxPageMessagesPerSecond: 300,
  maxWaitingMessages: 256,
  maxWaitingBytes: 1_048_576,
  heartbeatMs: 15_000,
  stallMs: 60_000,
  maxTokenLifeSeconds: DEFAULT_TOKEN_LIFE_SECONDS,
}

/** The names of all limits. */
export const LIMIT_NAMES = Object.keys(LIMIT_DEFAULTS) as readonly LimitName[]

const LIMIT = numberFrom(1)
const LIMIT_FORMS: Partial<Record<LimitName, Form>> = {
  maxTokenLifeSeconds: numberFrom(1, LONGEST_TOKEN_LIFE_SECONDS),
}

/** Fills in the limits that are not given. Throws `INVALID_OPTIONS`. */
function limitsOf(given: Partial<GatewayLimits>): GatewayLimits {
  const entries = LIMIT_NAMES.map((name) => [name, checkedLimit(name, given[name] ?? LIMIT_DEFAULTS[name])])
  return Object.fromEntries(entries)
}

function checkedLimit(name: LimitName, value: number): number {
  const form = LIMIT_FORMS[name] ?? LIMIT
  if (!form.fits(value)) throw invalid(`${name} is ${form.what}.`)
  return value
}
