import { invalid } from '../errors/errors.ts'

/** The servers of one product: its name in errors, its port, and its schemes, each with whether it asks for TLS. */
export interface ServerKind {
  /** The name in errors, for example `NATS`. */
  readonly product: string
  /** The port of a server without one. */
  readonly port: number
  /** Schemes such as `nats`, without a colon; `true` for those that ask for TLS. */
  readonly schemes: Readonly<Record<string, boolean>>
}

/** One server to dial. */
export interface ServerAddress {
  /** `host:port`, an IPv6 address in brackets: the name of the server in errors. */
  readonly label: string
  /** The host as a socket takes it: an IPv6 address bare. */
  readonly host: string
  /** The port, 1 to 65 535. */
  readonly port: number
  /** Whether its scheme asks for TLS. */
  readonly isSecure: boolean
}

/** The URLs of one product. */
export interface UrlKind {
  /** The name in errors, for example `NATS`. */
  readonly product: string
  /** A URL to show in errors, for example `nats://user:password@host:port`. */
  readonly example: string
  /** The protocols, with their colons. */
  readonly protocols: readonly string[]
  /** The paths that have a meaning. @default none but `/` */
  readonly path?: RegExp | undefined
}

/** The members of the platform's `URL` that adapters read; not every program has its type. */
export interface ParsedUrl {
  /** The scheme with its colon, for example `nats:`. */
  readonly protocol: string
  /** The host without its port. */
  readonly hostname: string
  /** The port, or an empty string. */
  readonly port: string
  /** The host with its port, if it has one. */
  readonly host: string
  /** The path. */
  readonly pathname: string
  /** The parameters as written, with the question mark, or an empty string. */
  readonly search: string
  /** The parameters, names and values in their order. */
  readonly searchParams: Iterable<[name: string, value: string]> & {
    /** The names. */
    keys(): Iterable<string>
    /** The first value of a name. */
    get(name: string): string | null
  }
}

/** A URL of a server, with its credentials decoded. */
export interface ServerUrl {
  /** The parts of the URL. */
  readonly url: ParsedUrl
  /** The user, if there is one. */
  readonly user: string | undefined
  /** The password, if there is one. */
  readonly password: string | undefined
}

const SERVER = /^(?:(?<scheme>[a-z]+):\/\/)?(?<host>[\w.-]+|\[[\dA-Fa-f:.]+\])(?::(?<port>\d{1,5}))?\/?$/
const NO_PATH = /^\/?$/

/**
 * Reads servers, each `host`, `host:port` or `scheme://host:port`. Throws `INVALID_OPTIONS` for none, and for one of
 * another form; no error has the text, since it may contain credentials.
 */
export function parseServers(
  servers: string | readonly string[],
  kind: ServerKind,
): readonly ServerAddress[] {
  const parsed = [servers].flat().map((server) => parseServer(server, kind))
  if (parsed.length > 0) return parsed
  throw invalid(`There is no ${kind.product} server to connect to; name at least one.`)
}

/** Decides whether TLS is on: as the option says, or as a server's scheme asks. Throws `INVALID_OPTIONS` when they differ. */
export function isTlsOn(
  tls: boolean | object | undefined,
  servers: readonly ServerAddress[],
  product: string,
): boolean {
  const isAskedFor = servers.some((server) => server.isSecure)
  if (tls === false && isAskedFor) {
    throw invalid(`The scheme of a ${product} server asks for TLS, so the option "tls" cannot be false.`)
  }
  return tls === undefined ? isAskedFor : tls !== false
}

/**
 * Reads the URL of a server, its credentials percent-decoded. Throws `INVALID_OPTIONS`; no error has the text, or a
 * piece of a password that was not percent-encoded.
 */
export function parseServerUrl(
  text: string,
  { product, example, protocols, path = NO_PATH }: UrlKind,
): ServerUrl {
  // The error of `new URL` would repeat the text.
  if (!URL.canParse(text)) {
    throw invalid(
      `The ${product} URL cannot be read; write ${example}, one for each server, and percent-encode credentials.`,
    )
  }
  const url = new URL(text)
  if (!protocols.includes(url.protocol)) {
    throw invalid(`The ${product} URL begins with ${url.protocol}; use one of ${protocols.join(' ')}`)
  }
  // A bare / ? or # in a password ends the host before it: the rest would be dialled, sent or repeated in an error.
  if (url.hash !== '' || !path.test(url.pathname) || `${url.pathname}${url.search}`.includes('@')) {
    throw invalid(
      `The ${product} URL has a path, a fragment, or an @ behind its host or in a parameter; percent-encode credentials: / is %2F, ? is %3F, # is %23, @ is %40.`,
    )
  }
  const [user, password] = [url.username, url.password].map((part) => decoded(part, product))
  return { url, user, password }
}

/**
 * Lays the options of several URLs over each other. Throws `INVALID_OPTIONS` when two URLs give different values for
 * one option.
 */
export function oneForAll(
  product: string,
  given: readonly (readonly [name: string, value: unknown])[],
): Readonly<Record<string, unknown>> {
  const options = new Map<string, unknown>()
  for (const [name, value] of given) {
    if (value === undefined) continue
    if (options.has(name) && options.get(name) !== value) {
      throw invalid(`The ${product} URLs give more than one ${name}; they are servers of one cluster.`)
    }
    options.set(name, value)
  }
  return Object.fromEntries(options)
}

/** Names a parameter of a URL in an error, unless it may be a piece of a password that was not percent-encoded. */
export function parameterName(name: string): string {
  return /^[A-Za-z]+$/.test(name) ? ` "${name}"` : ''
}

function parseServer(server: string, { product, port: defaultPort, schemes }: ServerKind): ServerAddress {
  const { scheme, host, port = String(defaultPort) } = SERVER.exec(server)?.groups ?? {}
  const isKnown = scheme === undefined || Object.hasOwn(schemes, scheme)
  if (!host || !isKnown || Number(port) > 65_535 || Number(port) === 0) {
    throw invalid(
      `A ${product} server is "host:port", without credentials; those go into options of their own.`,
    )
  }
  return {
    label: `${host}:${Number(port)}`,
    host: host.replace(/^\[|\]$/g, ''),
    port: Number(port),
    isSecure: scheme !== undefined && schemes[scheme] === true,
  }
}

function decoded(part: string, product: string): string | undefined {
  try {
    return part === '' ? undefined : decodeURIComponent(part)
  } catch {
    throw invalid(
      `The credentials of the ${product} URL are not percent-encoded UTF-8; a bare % is written %25.`,
    )
  }
}
