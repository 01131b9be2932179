import { FailedLogins } from '../access/failed-logins.ts'
import { type ApiKey, KeyRing } from '../access/key-ring.ts'
import { DEFAULT_TOKEN_LIFE_SECONDS, LONGEST_TOKEN_LIFE_SECONDS } from '../access/token.ts'
import { type GatewayLog, SILENT_LOG } from '../base/gateway-log.ts'
import { invalid } from '../base/invalid.ts'
import { checkNames, numberFrom, switchOf } from '../base/options.ts'
import type { MountProtocol } from '../http/protocol.ts'
import type { RouterOptions } from '../http/router.ts'
import type { Relay } from '../pages/relay/relay.ts'
import {
  GATEWAY_BOUNDS,
  type GatewayLimits,
  type GivenLimits,
  limitsOf,
  refuseFormerLimits,
} from './limits.ts'
import { relaysOf, type ServicesOptions, servicesOf } from './services.ts'

/** How a gateway behaves. Either `hub` or `services`, and either `keys` or `open`. */
export interface GatewayOptions extends ServicesOptions {
  /** The API keys: who may send requests, and which. */
  readonly keys?: readonly ApiKey[] | undefined
  /** Lets every client on this machine in, without keys; see `allowedHosts`. @default false */
  readonly open?: boolean | undefined
  /** Without keys: names of this machine, beside localhost, 127.0.0.1 and [::1], that requests may be sent to. */
  readonly allowedHosts?: readonly string[] | undefined
  /** Origins of web pages that may ask, e.g. `https://app.example`; `'*'` is any (with keys only). @default none */
  readonly corsOrigins?: readonly string[] | undefined
  /** A protocol to serve beside pages, as `twilio()` of `@rivulet/twilio` gives it. @default pages only */
  readonly protocol?: MountProtocol | undefined
  /** The account of access tokens, which is also in responses. @default the first account among the keys, else `AC` and 32 zeros */
  readonly accountSid?: string | undefined
  /** How clients reach the gateway, e.g. `https://sync.example`; for the URLs in answers. @default as each one asks */
  readonly publicUrl?: string | undefined
  /** The path under which a server mounts the gateway, e.g. `/sync`. @default none */
  readonly basePath?: string | undefined
  /** The longest life of a token in seconds, from when it is first used, 1 to 86400 (a day, as Twilio's). @default 3600 */
  readonly maxTokenLifeSeconds?: number | undefined
  /** Whether there is a page to try it out, `/playground`. It joins the first hub with a relay. @default false */
  readonly playground?: boolean | undefined
  /**
   * The limits that differ from the defaults, by group. Each is a whole number, e.g. `limits: { pages: { burst: 60 } }`. @default those of `GatewayLimits`
   */
  readonly limits?: GivenLimits | undefined
  /**
   * Takes log lines; a pino logger fits. The errors of hubs are logged by their code and stream; the hub's event
   * `error` has the rest. @default nothing is logged, and errors of hubs stay the hubs' own
   */
  readonly log?: GatewayLog | undefined
}

/** Options with every default filled in. */
export interface ResolvedGatewayOptions extends RouterOptions {
  readonly accountSid: string
  readonly limits: GatewayLimits
  readonly relays: ReadonlyMap<string, Relay>
  readonly protocol: MountProtocol | undefined
}

const DEFAULT_ACCOUNT_SID = `AC${'0'.repeat(32)}`
const ACCOUNT_SID = /^AC[0-9a-fA-F]{32}$/
const BASE_PATH = /^(\/[\w.~-]+)+$/
const HOST = /^([^/:\s[\]]+|\[[\da-f:.]+\])$/i
// As browsers send it: lower case, no path. Apps have schemes of their own, e.g. capacitor://localhost.
const ORIGIN = /^[a-z][a-z\d+.-]*:\/\/[^/?#\sA-Z]+$/

/** Every option. */
export const OPTION_NAMES: Readonly<Record<keyof GatewayOptions, true>> = {
  hub: true,
  services: true,
  relay: true,
  relays: true,
  keys: true,
  open: true,
  allowedHosts: true,
  corsOrigins: true,
  protocol: true,
  accountSid: true,
  publicUrl: true,
  basePath: true,
  playground: true,
  limits: true,
  maxTokenLifeSeconds: true,
  log: true,
}

const OF_TWILIO = ['registry', 'twilsock']

/** An option that has moved would be ignored otherwise, or refused without the place where it is now. */
function refuseMoved(options: object): void {
  const moved = Object.keys(options).find((name) => OF_TWILIO.includes(name))
  if (moved === undefined) return
  throw invalid(`The option ${moved} is one of @rivulet/twilio now; import createGateway from there.`)
}

/** Checks the options. Throws `INVALID_OPTIONS`, without any secret. */
export function resolveOptions(options: GatewayOptions): ResolvedGatewayOptions {
  refuseFormerLimits(options)
  refuseMoved(options)
  checkNames(options, OPTION_NAMES)
  const { basePath = '', publicUrl, accountSid = DEFAULT_ACCOUNT_SID, log = SILENT_LOG } = options
  const open = switchOf('open', options.open)
  const corsOrigins = originsOf(options.corsOrigins)
  if (!ACCOUNT_SID.test(accountSid)) throw invalid('accountSid is AC followed by 32 hex digits.')
  const keys = new KeyRing(options.keys ?? [], options.accountSid)
  if (keys.isEmpty && !open) {
    throw invalid(
      'There are no keys; give some, or `open: true` (--open) to let every client on this machine in.',
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
    protocol: protocolOf(options.protocol),
    accountSid: keys.accountSid ?? accountSid,
    publicUrl: publicUrl === undefined ? undefined : originOf(publicUrl),
    basePath,
    playground: playgroundOf(options.playground, relays.size > 0),
    log,
    limits: limitsOf(options.limits, GATEWAY_BOUNDS),
    maxTokenLifeSeconds: tokenLifeOf(options.maxTokenLifeSeconds),
  })
}

/** Writes a line for each API key that can't sign tokens: clients get no more than that the token is not valid. */
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

function protocolOf(given: unknown): MountProtocol | undefined {
  if (given === undefined || typeof given === 'function') return given as MountProtocol | undefined
  throw invalid('protocol is a function, as twilio() of @rivulet/twilio gives it.')
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

const TOKEN_LIFE = numberFrom(1, LONGEST_TOKEN_LIFE_SECONDS)

function tokenLifeOf(seconds: number = DEFAULT_TOKEN_LIFE_SECONDS): number {
  if (!TOKEN_LIFE.fits(seconds)) throw invalid(`maxTokenLifeSeconds is ${TOKEN_LIFE.what}.`)
  return seconds
}
