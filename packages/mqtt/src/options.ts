import { inspect } from 'node:util'
import { invalid } from './refusal.ts'
import { parseServer, parseUrl } from './server.ts'

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
  readonly protocol?: 4 | 5 | undefined
  /** Who to be, on every server whose URL names nobody. */
  readonly username?: string | undefined
  /** Belongs to `username`; is in no error and no inspection. */
  readonly password?: string | undefined
  /**
   * The client id. Two connections with one id throw each other out: give one only where the broker demands it,
   * and to one process.
   * @default a random one for each connection
   */
  readonly clientId?: string | undefined
  /**
   * Topic levels to put before every topic: `site/7` makes `rivulet/default/positions` travel as
   * `site/7/rivulet/default/positions`. No wildcard, control character, empty level or leading `$`; at most 256
   * bytes.
   * @default none
   */
  readonly prefix?: string | undefined
  /**
   * The largest packet to send, in bytes, at least 256: topic and frame with at most 10 bytes more. Give what the
   * broker is configured to take where it does not say so itself: a 3.1.1 broker never does, and ends the
   * connection on a larger packet. Where it does say, the smaller of the two holds.
   * @default what the broker says
   */
  readonly maxPacketBytes?: number | undefined
  /** For `mqtts:` and `wss:`, which trust the system's authorities without it. */
  readonly tls?: MqttTlsOptions | undefined
}

/** Certificates and keys as PEM text. There is no way to skip verification. */
export interface MqttTlsOptions {
  /** The authorities to trust in place of the system's. */
  readonly ca?: string | undefined
  /** The client's own certificate, where the broker asks for one. */
  readonly cert?: string | undefined
  /** The private key of `cert`. */
  readonly key?: string | undefined
  /** What `key` is encrypted with. */
  readonly passphrase?: string | undefined
  /** The name to expect in the broker's certificate, when it is not the host of the URL. */
  readonly servername?: string | undefined
}

/** The options, checked and resolved. */
export type Settings = ReturnType<typeof resolveOptions>

/** What a value has to be; `isPublic` when a message may show it. */
type Rule = readonly [fits: (value: unknown) => boolean, form: string, isPublic?: boolean]
type Rules<Options> = { readonly [Name in keyof Required<Options>]: Rule }

// [MQTT-4.7.1-1] bars the wildcards, [MQTT-1.5.4-1] and 1.5.4 what no broker has to take in a string.
const NAME = /^[^+#\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]+$/u
const LEVELS = /^(?!\$)[^/]+(\/[^/]+)*$/
const LEVELS_FORM = 'topic levels such as site/7: no $ in front, no wildcard, none empty, at most 256 bytes'

const isText = (value: unknown) => typeof value === 'string'
const isName = (value: unknown) => typeof value === 'string' && NAME.test(value)
const isShort = (value: unknown) => Buffer.byteLength(String(value)) <= 256
const isSize = (value: unknown) => Number.isInteger(value) && Number(value) >= 256
const isObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value)

const TEXT: Rule = [isText, 'a string']
const PEM: Rule = [(value) => isText(value) && value !== '', 'PEM text']
const RULES: Rules<MqttOptions> = {
  url: [(value) => [value].flat().every(isText), 'a URL such as mqtt://host:1883, or a list of such'],
  protocol: [(value) => value === 4 || value === 5, '4 or 5 (4 is MQTT 3.1.1)', true],
  username: TEXT,
  password: TEXT,
  clientId: [isName, 'a non-empty string without wildcards and control characters', true],
  prefix: [(value) => isName(value) && LEVELS.test(String(value)) && isShort(value), LEVELS_FORM, true],
  maxPacketBytes: [isSize, 'a whole number from 256', true],
  tls: [isObject, 'an object such as { ca }'],
}
const TLS_RULES: Rules<MqttTlsOptions> = { ca: PEM, cert: PEM, key: PEM, passphrase: TEXT, servername: TEXT }
/** How to read the parameters of a URL. */
const PARAMETERS = new Map<string, typeof String | typeof Number>(
  Object.entries({ prefix: String, clientId: String, protocol: Number, maxPacketBytes: Number }),
)

/** Throws `INVALID_OPTIONS` for what no broker could make sense of. */
export function resolveOptions(options: MqttOptions) {
  if (!isObject(options)) throw invalid('mqtt takes an object { url, … }; for a URL use openHub.')
  check(RULES, { ...options, url: options.url }, '')
  const { url, username, password, prefix, tls, maxPacketBytes = Infinity } = options
  check(TLS_RULES, tls ?? {}, 'tls.')
  if (password !== undefined && username === undefined) throw invalid('password needs a username.')
  const servers = [url].flat().map((each) => parseServer(each, username, password))
  if (servers.length === 0) throw invalid('url is an empty list; name at least one server.')
  const plain = servers.find((server) => !server.isSecure)
  if (tls !== undefined && plain !== undefined) {
    throw invalid(`tls is given but ${plain.label} is not encrypted; use mqtts: or wss:.`)
  }
  const levels = prefix === undefined ? '' : `${prefix}/`
  return { ...options, servers, maxPacketBytes, prefix: levels, tls: { ...tls } }
}

/** Reads the options of a transport out of its URLs. Throws `INVALID_OPTIONS`. */
export function optionsFromUrls(urls: readonly string[]): MqttOptions {
  const given = new Map<string, string | number>()
  const parsed = urls.map(parseUrl)
  for (const [name, text] of parsed.flatMap((url) => [...url.searchParams])) {
    // A name of another form may be a piece of a password that was not percent-encoded.
    const which = /^[A-Za-z]+$/.test(name) ? ` "${name}"` : ''
    const known = `it takes ${[...PARAMETERS.keys()].join(', ')} (and name)`
    const value = PARAMETERS.get(name)?.(text)
    if (value === undefined) throw invalid(`unknown parameter${which} in the URL; ${known}.`)
    if ((given.get(name) ?? value) !== value) throw invalid(`the URLs give two different values of ${name}.`)
    given.set(name, value)
  }
  for (const url of parsed) url.search = ''
  return { ...Object.fromEntries(given), url: parsed.map(String) }
}

/** A misspelt option would be left out in silence, one of another type be taken for something else. */
function check(rules: { readonly [name: string]: Rule }, options: object, path: string): void {
  for (const [name, value] of Object.entries(options)) {
    const [fits, form, isPublic] = (Object.hasOwn(rules, name) && rules[name]) || []
    if (fits === undefined) {
      const names = Object.keys(rules).map((known) => path + known)
      throw invalid(`there is no option ${JSON.stringify(path + name)}; there are ${names.join(', ')}.`)
    }
    if (fits(value) || (value === undefined && name !== 'url')) continue
    throw invalid(`${path}${name} is ${form}, not ${shown(value, isPublic)}.`)
  }
}

function shown(value: unknown, isPublic = false): string {
  if (isPublic && !isObject(value)) return inspect(value)
  return Array.isArray(value) ? 'such a list' : value === null ? 'null' : typeof value
}
