import { invalid, parseServer, parseUrl, type Server } from './server.ts'

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
   * The largest packet to send, in bytes, 256 to 268435455: topic and frame with at most 10 bytes more. Give what the
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
export interface Settings {
  readonly servers: readonly Server[]
  readonly protocol: 4 | 5 | undefined
  readonly clientId: string | undefined
  /** Empty, or ends with a slash. */
  readonly prefix: string
  readonly maxPacketBytes: number
  readonly tls: MqttTlsOptions
}

/** What a value has to be. */
interface Rule {
  fits(value: unknown): boolean
  readonly form: string
  /** Whether a message may show the value. */
  readonly isPublic?: true
}

type Rules<Options> = { readonly [Name in keyof Required<Options>]: Rule }

// [MQTT-4.7.1-1] bars the wildcards, [MQTT-1.5.4-1] and 1.5.4 what no broker has to take in a string.
const FORBIDDEN = /[+#\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u
const MAX_PREFIX_BYTES = 256
// The largest remaining length that the protocol can write, MQTT 5 1.5.5.
const MAX_PACKET_BYTES = 268_435_455

const TEXT: Rule = { fits: (value) => typeof value === 'string', form: 'a string' }
const PEM: Rule = { fits: (value) => typeof value === 'string' && value !== '', form: 'PEM text' }

const RULES: Rules<MqttOptions> = {
  url: { fits: isUrls, form: 'a URL such as mqtt://host:1883, or a list of at least one' },
  protocol: { fits: (value) => value === 4 || value === 5, form: '4 or 5 (4 is MQTT 3.1.1)', isPublic: true },
  username: TEXT,
  password: TEXT,
  clientId: { fits: isName, form: 'text without wildcards and control characters', isPublic: true },
  prefix: {
    fits: isPrefix,
    form: `topic levels such as site/7, at most ${MAX_PREFIX_BYTES} bytes, none empty, without wildcards, control characters and a leading $`,
    isPublic: true,
  },
  maxPacketBytes: {
    fits: (value) => Number.isInteger(value) && Number(value) >= 256 && Number(value) <= MAX_PACKET_BYTES,
    form: `a whole number of bytes from 256 to ${MAX_PACKET_BYTES}`,
    isPublic: true,
  },
  tls: { fits: isObject, form: 'an object such as { ca }' },
}
const TLS_RULES: Rules<MqttTlsOptions> = { ca: PEM, cert: PEM, key: PEM, passphrase: TEXT, servername: TEXT }

/** The options that a URL can carry, as its parameters. */
const PARAMETERS = ['prefix', 'clientId', 'protocol', 'maxPacketBytes']
const NUMBERS = ['protocol', 'maxPacketBytes']

/** Throws `INVALID_OPTIONS` for what no broker could make sense of. */
export function resolveOptions(options: MqttOptions): Settings {
  if (!isObject(options)) throw invalid('mqtt takes an object { url, … }; for a URL use openHub.')
  check(RULES, options, '')
  const { url, protocol, username, password, clientId, prefix, tls = {} } = options
  check(TLS_RULES, tls, 'tls.')
  if (url === undefined) throw invalid(`url is missing; give ${RULES.url.form}.`)
  if (password !== undefined && username === undefined) throw invalid('password needs a username.')
  const servers = [url].flat().map((each) => parseServer(each, username, password))
  const plain = servers.find((server) => !server.isSecure)
  if (options.tls !== undefined && plain !== undefined) {
    throw invalid(`tls is given but ${plain.label} is not encrypted; use mqtts: or wss:.`)
  }
  return {
    ...{ servers: shuffled(servers), protocol, clientId, tls: { ...tls } },
    prefix: prefix === undefined ? '' : `${prefix}/`,
    maxPacketBytes: options.maxPacketBytes ?? Number.POSITIVE_INFINITY,
  }
}

/** Reads the options of a transport out of its URLs. Throws `INVALID_OPTIONS`. */
export function optionsFromUrls(urls: readonly string[]): MqttOptions {
  const given: Record<string, string> = {}
  const url = urls.map((text) => {
    const parsed = parseUrl(text)
    for (const [name, value] of parsed.searchParams) {
      // A name of another form may be a piece of a password that was not percent-encoded.
      const which = /^[A-Za-z]+$/.test(name) ? ` "${name}"` : ''
      const known = `it takes ${PARAMETERS.join(', ')} (and name)`
      if (!PARAMETERS.includes(name)) throw invalid(`unknown parameter${which} in the URL; ${known}.`)
      if ((given[name] ?? value) !== value) throw invalid(`the URLs give two different values of ${name}.`)
      given[name] = value
    }
    parsed.search = ''
    return parsed.href
  })
  const typed = Object.entries(given).map(([name, text]) => [
    name,
    NUMBERS.includes(name) ? Number(text) : text,
  ])
  return { url, ...Object.fromEntries(typed) }
}

/** A misspelt option would be left out in silence, one of another type be taken for something else. */
function check(rules: { readonly [name: string]: Rule }, options: object, path: string): void {
  for (const [name, value] of Object.entries(options)) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined
    if (rule === undefined) {
      const names = Object.keys(rules).map((known) => path + known)
      throw invalid(`there is no option ${JSON.stringify(path + name)}; there are ${names.join(', ')}.`)
    }
    if (value === undefined || rule.fits(value)) continue
    throw invalid(`${path}${name} is ${rule.form}, not ${shown(value, rule)}.`)
  }
}

function shown(value: unknown, { isPublic }: Rule): string {
  if (typeof value === 'string') return isPublic ? JSON.stringify(value) : 'this text'
  if (typeof value === 'number') return isPublic ? String(value) : 'a number'
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'such a list'
  return typeof value === 'object' && value !== null
    ? 'an object'
    : String(value === null ? value : typeof value)
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isUrls(value: unknown): boolean {
  const urls = [value].flat()
  return urls.length > 0 && urls.every((url) => typeof url === 'string')
}

function isName(value: unknown): boolean {
  return typeof value === 'string' && value !== '' && !FORBIDDEN.test(value)
}

function isPrefix(value: unknown): boolean {
  if (typeof value !== 'string' || FORBIDDEN.test(value) || value.startsWith('$')) return false
  return !value.split('/').includes('') && Buffer.byteLength(value) <= MAX_PREFIX_BYTES
}

function shuffled<T>(items: readonly T[]): T[] {
  const ranked = items.map((item) => ({ item, rank: Math.random() }))
  return ranked.sort((a, b) => a.rank - b.rank).map(({ item }) => item)
}
