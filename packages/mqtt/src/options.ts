import { inspect } from 'node:util'
import type { RivuletError } from 'rivulet'
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
  /**
   * The largest packet to send, in bytes, at least 256: topic and frame with at most 10 bytes more. Give what the
   * broker is configured to take where it does not say so itself: a 3.1.1 broker never does, and ends the
   * connection on a larger packet. Where it does say, the smaller of the two holds.
   * @default what the broker says
   */
  readonly maxPacketBytes?: number
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
export type Settings = ReturnType<typeof resolveOptions>

/** What a value has to be; `isPublic` when a message may show it. */
type Rule = readonly [fits: (value: unknown) => boolean, form: string, isPublic?: boolean]
type Rules<Options> = { readonly [Name in keyof Required<Options>]: Rule }

// [MQTT-4.7.1-1] bars the wildcards, [MQTT-1.5.4-1] and 1.5.4 what no broker has to take in a string.
const NAME = /^[^+#\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]+$/u
const LEVELS = /^(?!\$)[^/]+(\/[^/]+)*$/
const NAME_FORM = 'a non-empty string without wildcards and control characters'
const PREFIX_FORM =
  'topic levels such as site/7, none empty, at most 256 bytes, no leading $, wildcards, control characters'

const isText = (value: unknown) => typeof value === 'string'
const isName = (value: unknown) => typeof value === 'string' && NAME.test(value)
const isPrefix = (value: unknown) =>
  isName(value) && LEVELS.test(`${value}`) && Buffer.byteLength(`${value}`) <= 256
const isObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value)

const TEXT: Rule = [isText, 'a string']
const PEM: Rule = [(value) => isText(value) && value !== '', 'PEM text']
const RULES: Rules<MqttOptions> = {
  url: [(value) => [value].flat().every(isText), 'a URL such as mqtt://host:1883, or a list of such'],
  protocol: [(value) => value === 4 || value === 5, '4 or 5 (4 is MQTT 3.1.1)', true],
  username: TEXT,
  password: TEXT,
  clientId: [isName, NAME_FORM, true],
  prefix: [isPrefix, PREFIX_FORM, true],
  maxPacketBytes: [
    (value) => Number.isInteger(value) && Number(value) >= 256,
    'a whole number from 256',
    true,
  ],
  tls: [isObject, 'an object such as { ca }'],
}
const TLS_RULES: Rules<MqttTlsOptions> = { ca: PEM, cert: PEM, key: PEM, passphrase: TEXT, servername: TEXT }
/** How to read the parameters of a URL. */
const PARAMETERS = { prefix: String, clientId: String, protocol: Number, maxPacketBytes: Number }

/** Throws `INVALID_OPTIONS` for what no broker could make sense of. */
export function resolveOptions(options: MqttOptions) {
  if (!isObject(options)) throw invalid('mqtt takes an object { url, … }; for a URL use openHub.')
  check(RULES, { ...options, url: options.url }, '')
  const { url, username, password, prefix, tls, maxPacketBytes = Number.POSITIVE_INFINITY } = options
  check(TLS_RULES, tls ?? {}, 'tls.')
  if (password !== undefined && username === undefined) throw invalid('password needs a username.')
  const servers = [url].flat().map((each) => parseServer(each, username, password))
  if (servers.length === 0) throw invalid('url is an empty list; name at least one server.')
  const plain = servers.find((server) => !server.isSecure)
  if (tls !== undefined && plain !== undefined) {
    throw invalid(`tls is given but ${plain.label} is not encrypted; use mqtts: or wss:.`)
  }
  return {
    ...options,
    servers,
    tls: { ...tls },
    maxPacketBytes,
    prefix: prefix === undefined ? '' : `${prefix}/`,
  }
}

/** Reads the options of a transport out of its URLs. Throws `INVALID_OPTIONS`. */
export function optionsFromUrls(urls: readonly string[]): MqttOptions {
  const given: { [name: string]: string | number } = {}
  const url = urls.map((text) => {
    const parsed = parseUrl(text)
    for (const [name, value] of parsed.searchParams) {
      if (!Object.hasOwn(PARAMETERS, name)) throw unknownParameter(name)
      const read = PARAMETERS[name as keyof typeof PARAMETERS](value)
      if ((given[name] ?? read) !== read) throw invalid(`the URLs give two different values of ${name}.`)
      given[name] = read
    }
    parsed.search = ''
    return parsed.href
  })
  return { url, ...given }
}

function unknownParameter(name: string): RivuletError {
  // A name of another form may be a piece of a password that was not percent-encoded.
  const which = /^[A-Za-z]+$/.test(name) ? ` "${name}"` : ''
  const names = Object.keys(PARAMETERS).join(', ')
  return invalid(`unknown parameter${which} in the URL; it takes ${names} (and name).`)
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
