import {
  type Authenticator,
  type ConnectionOptions,
  credsAuthenticator,
  nkeyAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from '@nats-io/transport-node'
import { RivuletError } from 'rivulet'

/** How to reach NATS. At most one kind of credentials: `user`, `token`, `nkey` or `credentials`. */
export interface NatsOptions {
  /**
   * The servers of one cluster, each `host`, `host:port`, `nats://host:port` or `tls://host:port` (which turns
   * `tls` on for all). Each open tries them in a random order. An IPv6 address stands in brackets.
   *
   * @default '127.0.0.1:4222'
   */
  readonly servers?: string | readonly string[]
  /**
   * The name of the connection in the server's monitoring and log.
   *
   * @default 'rivulet'
   */
  readonly name?: string
  /** The user, for servers that ask for user and password. */
  readonly user?: string
  /** The password that belongs to `user`. */
  readonly password?: string
  /** The token, for servers that ask for one. */
  readonly token?: string
  /** The seed of an nkey (`SU…`). It signs the server's challenge and is never sent. */
  readonly nkey?: string
  /** The content (not the path) of a `.creds` file. */
  readonly credentials?: string
  /** Insists on TLS. `true` trusts the system's authorities. Without it TLS is used when the server offers it. */
  readonly tls?: boolean | NatsTlsOptions
  /**
   * Stands before every subject: the stream `positions` of a hub `fleet` is `<prefix>.rivulet.fleet.positions`.
   * One or more words of `[A-Za-z0-9_-]` separated by dots, at most 256 characters.
   */
  readonly prefix?: string
  /**
   * Whether to reconnect also to servers that the cluster names, beside those in `servers`. Off, because the
   * addresses that a cluster announces are often unreachable from outside, and credentials would be sent there.
   *
   * @default false
   */
  readonly discover?: boolean
}

/** Certificates as PEM text. There is no way to skip verification. */
export interface NatsTlsOptions {
  /** The authorities to trust instead of the system's. */
  readonly ca?: string
  /** The client's own certificate, where the server asks for one; `key` belongs to it. */
  readonly cert?: string
  /** The private key of `cert`, as PEM text. */
  readonly key?: string
  /** The name to expect in the server's certificate, when it is not the host that is dialled. */
  readonly servername?: string
  /**
   * Whether to start TLS before the server speaks (`handshake_first` in its configuration).
   *
   * @default false
   */
  readonly handshakeFirst?: boolean
}

export interface ResolvedOptions {
  /** Each as `host:port`. */
  readonly servers: readonly string[]
  /** Empty, or ends in a dot. */
  readonly prefix: string
  readonly discover: boolean
  readonly client: ConnectionOptions
}

const DEFAULT_SERVER = '127.0.0.1:4222'
const SERVER = /^(?:(?<scheme>nats|tls):\/\/)?(?<host>[\w.-]+|\[[\dA-Fa-f:.]+\])(?::(?<port>\d{1,5}))?\/?$/
const PREFIX = /^[\w-]+(\.[\w-]+)*$/
// With the longest topic (2 953 characters) well below the 4 096 bytes that a server takes as a control line.
const MAX_PREFIX_LENGTH = 256

const NAMES: { readonly [Name in keyof Required<NatsOptions>]: true } = {
  ...{ servers: true, name: true, user: true, password: true, token: true, nkey: true, credentials: true },
  ...{ tls: true, prefix: true, discover: true },
}

/** Checks the options and turns them into those of the client. Throws `INVALID_OPTIONS`, without any secret. */
export function resolveOptions(options: NatsOptions): ResolvedOptions {
  assertKnown(options)
  const { servers = DEFAULT_SERVER, name = 'rivulet', prefix, discover = false } = options
  const parsed = (typeof servers === 'string' ? [servers] : servers).map(parseServer)
  if (parsed.length === 0) throw invalid('There is no NATS server to connect to; name at least one.')
  const authenticator = authenticatorOf(options)
  const tls = tlsOf(options.tls ?? parsed.some((server) => server.secure))
  return Object.freeze({
    servers: parsed.map((server) => server.address),
    prefix: prefixOf(prefix),
    discover,
    client: {
      name,
      ...(authenticator && { authenticator }),
      ...(tls && { tls }),
      // The core reconnects and joins again; a client that did so too would replay what was published meanwhile.
      reconnect: false,
      ignoreClusterUpdates: !discover,
      noEcho: true,
      timeout: 2000,
      pingInterval: 2000,
      maxPingOut: 2,
      // Node's own lookup belongs to the socket, so that giving up a dial ends it.
      resolve: false,
    },
  })
}

/** A misspelt `servers` would connect to the default one. */
function assertKnown(options: unknown): void {
  if (typeof options !== 'object' || options === null) {
    throw invalid('nats takes an object { servers, … }; for a URL use openHub.')
  }
  const stray = Object.keys(options).find((name) => !Object.hasOwn(NAMES, name))
  if (stray === undefined) return
  throw invalid(`There is no NATS option "${stray}"; there are ${Object.keys(NAMES).join(', ')}.`)
}

function parseServer(server: string): { address: string; secure: boolean } {
  const { scheme, host, port = '4222' } = SERVER.exec(server)?.groups ?? {}
  // The text is not repeated: credentials may have been put into it.
  if (!host || Number(port) > 65_535 || Number(port) === 0) {
    throw invalid('A NATS server is "host:port", without credentials; those go into options of their own.')
  }
  return { address: `${host}:${Number(port)}`, secure: scheme === 'tls' }
}

function prefixOf(prefix: string | undefined): string {
  if (prefix === undefined) return ''
  if (prefix.length > MAX_PREFIX_LENGTH || !PREFIX.test(prefix)) {
    const form = `words of A-Z a-z 0-9 _ - separated by dots, at most ${MAX_PREFIX_LENGTH} characters`
    throw invalid(`A subject prefix is ${form}, not ${JSON.stringify(prefix.slice(0, 80))}.`)
  }
  return `${prefix}.`
}

function authenticatorOf(options: NatsOptions): Authenticator | undefined {
  const { user, password, token, nkey, credentials } = options
  const kinds = [user ?? password, token, nkey, credentials].filter((value) => value !== undefined)
  if (kinds.length > 1) throw invalid('Give one of user, token, nkey and credentials, not several.')
  if (user === undefined && password !== undefined)
    throw invalid('There is a password but no user; give both.')
  if (user !== undefined) return usernamePasswordAuthenticator(user, password)
  if (token !== undefined) return tokenAuthenticator(token)
  const encoder = new TextEncoder()
  if (nkey !== undefined) return checked('nkey', nkeyAuthenticator(encoder.encode(nkey.trim())))
  if (credentials !== undefined)
    return checked('credentials', credsAuthenticator(encoder.encode(credentials)))
  return undefined
}

/** Signs once, so that a broken seed is told here and not at every dial. */
function checked(option: string, authenticator: Authenticator): Authenticator {
  try {
    authenticator('challenge')
    return authenticator
  } catch {
    // No cause: it may hold a part of the secret.
    throw invalid(
      `The option "${option}" cannot be read; pass the seed, or the content of the file, unchanged.`,
    )
  }
}

function tlsOf(tls: boolean | NatsTlsOptions): ConnectionOptions['tls'] | undefined {
  if (tls === false) return undefined
  if (tls === true) return {}
  // One by one: an unknown option, `rejectUnauthorized` above all, must not reach Node.
  const { ca, cert, key, servername, handshakeFirst } = tls
  const given = Object.entries({ ca, cert, key, servername, handshakeFirst })
  return Object.fromEntries(given.filter(([, value]) => value !== undefined))
}

function invalid(message: string): RivuletError {
  return new RivuletError('INVALID_OPTIONS', message)
}
