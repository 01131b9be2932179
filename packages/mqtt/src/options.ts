import {
  checkOptions,
  type FormOf,
  type Given,
  invalidOptions,
  objectForm,
  oneForAll,
  orFunction,
  parameterName,
  parseServerUrl,
  patternForm,
  pemForm,
  type Rules,
  textForm,
  textsForm,
  visible,
  wholeNumberForm,
} from 'rivulet/adapter'
import { parseServer, URLS } from './server.ts'

/**
 * The brokers of one cluster, and the login. A function given for an option is called at each attempt to connect. When
 * it throws or returns an invalid value the attempt fails, and the next one calls it again. It may take as long as a
 * dial (`timeouts.dialMs`).
 */
export interface MqttOptions {
  /**
   * The broker, `mqtt://host:1883`, `mqtts://host:8883`, `ws://host:80/path` or `wss://host:443/path`; several name
   * servers of one cluster, tried in turn from a random one. May contain percent-encoded credentials.
   */
  readonly url: string | readonly string[]
  /**
   * The version of the protocol, 5 or 4 (MQTT 3.1.1). Under 4 the broker returns every frame to its sender, which costs
   * traffic but delivers no message twice.
   * @default 5, and 4 once the broker refuses 5
   */
  readonly protocol?: 4 | 5 | undefined
  /** The user, on every server whose URL has none. */
  readonly username?: Given<string> | undefined
  /** The password of `username`; never part of an error or an inspection. */
  readonly password?: Given<string> | undefined
  /**
   * The client id. Two connections with one id disconnect each other: give one only if the broker requires it, and to
   * one process.
   * @default a random id for each connection
   */
  readonly clientId?: string | undefined
  /**
   * Topic levels to prepend to every topic: with `site/7` the topic `rivulet/default/positions` is
   * `site/7/rivulet/default/positions` at the broker. No wildcard, control character, empty level or leading `$`; at most
   * 256 bytes.
   * @default none
   */
  readonly prefix?: string | undefined
  /**
   * The largest packet to send, in bytes, at least 256: topic and frame with at most 10 bytes more. Give the broker's
   * configured limit if it does not announce it: a 3.1.1 broker never does, and disconnects on a larger packet. If it
   * announces one, the smaller of the two applies.
   * @default the limit that the broker announces
   */
  readonly maxPacketBytes?: number | undefined
  /** Certificates for `mqtts:` and `wss:`; without it these trust the system's authorities. */
  readonly tls?: MqttTlsOptions | undefined
}

/** Certificates and keys as PEM text. There is no way to skip verification. */
export interface MqttTlsOptions {
  /** The authorities to trust instead of the system's. */
  readonly ca?: Given<string> | undefined
  /** The client's certificate, for brokers that require one. */
  readonly cert?: Given<string> | undefined
  /** The private key of `cert`. */
  readonly key?: Given<string> | undefined
  /** The passphrase of `key`. */
  readonly passphrase?: Given<string> | undefined
  /** The name to expect in the broker's certificate, when it differs from the URL's host. */
  readonly servername?: string | undefined
}

/** The options, checked and resolved. */
export type Settings = ReturnType<typeof resolveOptions>

// [MQTT-4.7.1-1] forbids the wildcards, [MQTT-1.5.4-1] and 1.5.4 characters that a broker may reject in a string.
const NAME = /^[^+#\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]+$/u
const LEVELS = /^(?!\$)[^/]+(\/[^/]+)*$/
const LEVELS_FORM = 'topic levels such as site/7: no $ in front, no wildcard, none empty, at most 256 bytes'

const nameForm = patternForm(NAME, 'a non-empty string without wildcards and control characters')
const prefixForm: FormOf = (value) => {
  const isPrefix = nameForm(value) === false && LEVELS.test(String(value))
  return !(isPrefix && Buffer.byteLength(String(value)) <= 256) && LEVELS_FORM
}

/** The rules of certificates and keys. */
export const TLS_RULES: Rules<MqttTlsOptions> = {
  ca: orFunction(pemForm),
  cert: orFunction(pemForm),
  key: orFunction(pemForm),
  passphrase: orFunction(textForm),
  servername: textForm,
}
const RULES: Rules<MqttOptions> = {
  url: (value) => textsForm(value) && 'a URL such as mqtt://host:1883, or a list of such',
  protocol: visible((value) => value !== 4 && value !== 5 && '4 or 5 (4 is MQTT 3.1.1)'),
  username: orFunction(textForm),
  password: orFunction(textForm),
  clientId: visible(nameForm),
  prefix: visible(prefixForm),
  maxPacketBytes: visible(wholeNumberForm(256)),
  tls: objectForm(`an object { ${Object.keys(TLS_RULES).join(', ')} }`),
}
/** The types of the parameters of a URL. */
const PARAMETERS = new Map<string, typeof String | typeof Number>(
  Object.entries({ prefix: String, clientId: String, protocol: Number, maxPacketBytes: Number }),
)

/** Checks the options and resolves them. Throws `INVALID_OPTIONS`, without any secret. */
export function resolveOptions(given: MqttOptions) {
  const options = checkOptions('MQTT', given, RULES)
  const { url, username, password, prefix, maxPacketBytes = Infinity } = options
  if (url === undefined) throw invalidOptions('The MQTT option "url" is missing; name at least one server.')
  const tls = options.tls && checkOptions('MQTT TLS', options.tls, TLS_RULES)
  if (password !== undefined && username === undefined)
    throw invalidOptions('The MQTT option "password" needs a username.')
  const servers = [url].flat().map((each) => parseServer(each))
  if (servers.length === 0)
    throw invalidOptions('The MQTT option "url" is an empty list; name at least one server.')
  const plain = servers.find((server) => !server.isSecure)
  if (tls !== undefined && plain !== undefined) {
    throw invalidOptions(
      `The MQTT option "tls" is given, but ${plain.label} is not encrypted; use mqtts: or wss:.`,
    )
  }
  const levels = prefix === undefined ? '' : `${prefix}/`
  const certificates: MqttTlsOptions = { ...tls }
  return { ...options, servers, maxPacketBytes, prefix: levels, tls: certificates }
}

/** Reads the options of a transport from its URLs. Throws `INVALID_OPTIONS`. */
export function optionsFromUrls(urls: readonly string[]): MqttOptions {
  const parsed = urls.map((text) => parseServerUrl(text, URLS).url)
  const given = parsed.flatMap(({ searchParams }) => [...searchParams].map(parameterOf))
  return { ...oneForAll('MQTT', given), url: urls.map((text) => text.replace(/\?.*/s, '')) }
}

function parameterOf([name, text]: readonly [string, string]): readonly [string, string | number] {
  const read = PARAMETERS.get(name)
  if (read !== undefined) return [name, read(text)]
  const known = `it takes ${[...PARAMETERS.keys()].join(', ')} (and name)`
  throw invalidOptions(`The MQTT URL has an unknown parameter${parameterName(name)}; ${known}.`)
}
