import { invalid } from './invalid.ts'
import { parseServer, type Server } from './server.ts'

/** How to reach a broker, and as whom. */
export interface MqttOptions {
  /**
   * The broker, `mqtt://host:1883`, `mqtts://host:8883`, `ws://host:80/path` or `wss://host:443/path`; several name
   * servers of one cluster, tried in turn from a random one. May hold percent-encoded credentials.
   */
  readonly url: string | readonly string[]
  /**
   * The protocol to speak, 5 or 4 (MQTT 3.1.1). Under 4 the broker hands every frame back to its sender, which
   * costs traffic but no message twice.
   * @default 5, and 4 once the broker refuses 5
   */
  readonly protocol?: 4 | 5
  /** Who to be, on every server whose URL names nobody. */
  readonly username?: string
  /** Belongs to `username`; is in no error and no inspection. */
  readonly password?: string
  /**
   * The client id. Two connections with one id throw each other out: give one only where the broker demands it,
   * and to one process.
   * @default a random one for each connection
   */
  readonly clientId?: string
  /**
   * Topic levels to put before every topic: `site/7` makes `rivulet/default/positions` travel as
   * `site/7/rivulet/default/positions`. No wildcard, control character, empty level or leading `$`; at most 256
   * bytes.
   * @default none
   */
  readonly prefix?: string
  /** For `mqtts:` and `wss:`, which trust the system's authorities without it. */
  readonly tls?: MqttTlsOptions
}

/** Certificates and keys as PEM text. There is no way to skip verification. */
export interface MqttTlsOptions {
  /** The authorities to trust in place of the system's. */
  readonly ca?: string
  /** The client's own certificate, where the broker asks for one. */
  readonly cert?: string
  /** The private key of `cert`. */
  readonly key?: string
  /** What `key` is encrypted with. */
  readonly passphrase?: string
  /** The name to expect in the broker's certificate, when it is not the host of the URL. */
  readonly servername?: string
}

/** The options, checked and resolved. */
export interface Settings {
  readonly servers: readonly Server[]
  readonly protocol: 4 | 5 | undefined
  readonly clientId: string | undefined
  /** Empty, or ends with a slash. */
  readonly prefix: string
  readonly tls: MqttTlsOptions
}

const NAMES: { readonly [Name in keyof Required<MqttOptions>]: true } = {
  ...{ url: true, protocol: true, username: true, password: true, clientId: true, prefix: true, tls: true },
}
const MAX_PREFIX_BYTES = 256
// [MQTT-4.7.1-1] bars the wildcards, [MQTT-1.5.4-1] and 1.5.4 what no broker has to take in a string.
const FORBIDDEN = /[+#\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u

/** Throws `INVALID_OPTIONS` for what no broker could make sense of. */
export function resolveOptions(options: MqttOptions): Settings {
  assertKnown(options)
  const { url, protocol, username, password, clientId, prefix, tls } = options
  if (protocol !== undefined && protocol !== 4 && protocol !== 5) {
    throw invalid(`protocol is 4 (MQTT 3.1.1) or 5, not ${JSON.stringify(protocol)}.`)
  }
  if (
    clientId !== undefined &&
    (typeof clientId !== 'string' || clientId === '' || FORBIDDEN.test(clientId))
  ) {
    throw invalid('clientId is a non-empty string without wildcards and control characters; or leave it out.')
  }
  if (password !== undefined && username === undefined) {
    throw invalid('password needs a username.')
  }
  const urls = typeof url === 'string' ? [url] : url
  if (!Array.isArray(urls) || urls.length === 0) throw invalid('url is a URL or a list of at least one.')
  const servers = urls.map((each) => parseServer(each, { username, password }))
  const plain = servers.find((server) => !server.secure)
  if (tls !== undefined && plain !== undefined) {
    throw invalid(`tls is given but ${plain.label} is not encrypted; use mqtts: or wss:.`)
  }
  return { servers: shuffled(servers), protocol, clientId, prefix: resolvePrefix(prefix), tls: { ...tls } }
}

/** A misspelt option would be left out in silence. */
function assertKnown(options: unknown): void {
  if (typeof options !== 'object' || options === null) {
    throw invalid('mqtt takes an object { url, … }; for a URL use openHub.')
  }
  const stray = Object.keys(options).find((name) => !Object.hasOwn(NAMES, name))
  if (stray === undefined) return
  throw invalid(`there is no option ${JSON.stringify(stray)}; there are ${Object.keys(NAMES).join(', ')}.`)
}

function resolvePrefix(prefix: string | undefined): string {
  if (prefix === undefined) return ''
  const isClean = typeof prefix === 'string' && !FORBIDDEN.test(prefix) && !prefix.startsWith('$')
  if (!isClean || prefix.split('/').includes('') || byteLength(prefix) > MAX_PREFIX_BYTES) {
    throw invalid(
      `prefix is topic levels such as site/7, at most ${MAX_PREFIX_BYTES} bytes, without wildcards, control ` +
        `characters, empty levels and a leading $, not ${JSON.stringify(prefix)}.`,
    )
  }
  return `${prefix}/`
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, rank: Math.random() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ item }) => item)
}
