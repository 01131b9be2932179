import { type ConnectionOptions, credsAuthenticator, nkeyAuthenticator } from '@nats-io/transport-node'
import { RivuletError } from 'rivulet'

/** How to reach NATS. At most one kind of credentials: `user`, `token`, `nkey` or `credentials`. */
export interface NatsOptions {
  /**
   * The servers of one cluster, each `host`, `host:port`, `nats://host:port` or `tls://host:port` (which turns
   * `tls` on for all). Each open tries them in a random order. An IPv6 address stands in brackets.
   *
   * @default '127.0.0.1:4222'
   */
  readonly servers?: string | readonly string[] | undefined
  /**
   * The name of the connection in the server's monitoring and log.
   *
   * @default 'rivulet'
   */
  readonly name?: string | undefined
  /** The user, for servers that ask for user and password. */
  readonly user?: string | undefined
  /** The password that belongs to `user`. */
  readonly password?: string | undefined
  /** The token, for servers that ask for one. */
  readonly token?: string | undefined
  /** The seed of an nkey (`SU…`). It signs the server's challenge and is never sent. */
  readonly nkey?: string | undefined
  /** The content (not the path) of a `.creds` file. */
  readonly credentials?: string | undefined
  /** Insists on TLS. `true` trusts the system's authorities. Without it TLS is used when the server offers it. */
  readonly tls?: boolean | NatsTlsOptions | undefined
  /**
   * Stands before every subject: the stream `positions` of a hub `fleet` is `<prefix>.rivulet.fleet.positions`.
   * One or more words of `[A-Za-z0-9_-]` separated by dots, at most 256 characters.
   */
  readonly prefix?: string | undefined
  /**
   * Whether to reconnect also to servers that the cluster names, beside those in `servers`. Off, because the
   * addresses that a cluster announces are often unreachable from outside, and credentials would be sent there.
   *
   * @default false
   */
  readonly discover?: boolean | undefined
}

/** Certificates as PEM text. There is no way to skip verification. */
export interface NatsTlsOptions {
  /** The authorities to trust instead of the system's. */
  readonly ca?: string | undefined
  /** The client's own certificate, where the server asks for one; `key` belongs to it. */
  readonly cert?: string | undefined
  /** The private key of `cert`, as PEM text. */
  readonly key?: string | undefined
  /** The name to expect in the server's certificate, when it is not the host that is dialled. */
  readonly servername?: string | undefined
  /**
   * Whether to start TLS before the server speaks (`handshake_first` in its configuration).
   *
   * @default false
   */
  readonly handshakeFirst?: boolean | undefined
}

/** What the adapter needs: `servers` as `host:port`, `prefix` empty or ending in a dot, `client` for the client. */
export type ResolvedOptions = ReturnType<typeof resolveOptions>

const SERVER = /^(?:(?<scheme>nats|tls):\/\/)?(?<host>[\w.-]+|\[[\dA-Fa-f:.]+\])(?::(?<port>\d{1,5}))?\/?$/
// With the longest topic (2 953 characters) well below the 4 096 bytes that a server takes as a control line.
const PREFIX = /^(?=.{1,256}$)[\w-]+(\.[\w-]+)*$/
const PREFIX_FORM = 'words of A-Z a-z 0-9 _ - separated by dots, at most 256 characters'
const TLS_FORM = 'true, false or an object { ca, cert, key, servername, handshakeFirst }'

/** Returns in words what the value of an option must be, or `false` when it is that. */
type Check = (value: unknown) => string | false
type Checks<Options> = Readonly<Record<keyof Options, Check>>

const isRecord = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value)
const text: Check = (value) => typeof value !== 'string' && 'a string'
const pem: Check = (value) => text(value) && 'a string with PEM text'
const flag: Check = (value) => typeof value !== 'boolean' && 'true or false'

const CHECKS: Checks<NatsOptions> = {
  servers: (value) => [value].flat().some(text) && 'a string or an array of strings',
  ...{ name: text, user: text, password: text, token: text, nkey: text, credentials: text },
  tls: (value) => flag(value) && !isRecord(value) && TLS_FORM,
  prefix: (value) => (text(value) || !PREFIX.test(value as string)) && PREFIX_FORM,
  discover: flag,
}
const TLS_CHECKS: Checks<NatsTlsOptions> = {
  ...{ ca: pem, cert: pem, key: pem, servername: text, handshakeFirst: flag },
}

/** Checks the options and turns them into those of the client. Throws `INVALID_OPTIONS`, without any secret. */
export function resolveOptions(given: NatsOptions) {
  const options = checked('NATS', given, CHECKS)
  const { servers = '127.0.0.1:4222', name = 'rivulet', prefix, discover = false, tls } = options
  const { user, password: pass, token } = options
  const parsed = [servers].flat().map(parseServer)
  if (parsed.length === 0) throw invalid('There is no NATS server to connect to; name at least one.')
  const isSecure = parsed.some((server) => server.isSecure)
  const client: ConnectionOptions = {
    ...{ name, user, pass, token, authenticator: signerOf(options), tls: tlsOf(tls, isSecure) },
    // The core reconnects and joins again; a client that did so too would replay what was published meanwhile.
    ...{ reconnect: false, ignoreClusterUpdates: !discover, noEcho: true },
    // Node's own lookup belongs to the socket, so that giving up a dial ends it.
    resolve: false,
  }
  const beginning = prefix === undefined ? '' : `${prefix}.`
  return Object.freeze({ servers: parsed.map(({ address }) => address), prefix: beginning, discover, client })
}

/** Returns a copy of options that are all known and of the right kind, each read once. */
function checked<Options extends object>(kind: string, given: Options, checks: Checks<Options>): Options {
  const names = Object.keys(checks).join(', ')
  if (!isRecord(given)) throw invalid(`${kind} options are an object { ${names} }; for a URL use openHub.`)
  const options = Object.entries(given).filter(([, value]) => value !== undefined)
  for (const [name, value] of options) {
    const check = Object.hasOwn(checks, name) ? checks[name as keyof Options] : undefined
    // A misspelt `servers` would connect to the default one, a misspelt `ca` would trust others.
    if (!check) throw invalid(`There is no ${kind} option "${name}"; there are ${names}.`)
    const form = check(value)
    if (form) throw invalid(`The ${kind} option "${name}" is ${form}, not ${kindOf(value)}.`)
  }
  return Object.fromEntries(options) as Options
}

/** Shows no more of a value than the beginning of a string: options that hold a secret take any string. */
function kindOf(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 20))
  if (value === null || typeof value === 'boolean') return String(value)
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

function parseServer(server: string) {
  const { scheme, host, port = '4222' } = SERVER.exec(server)?.groups ?? {}
  // The text is not repeated: credentials may have been put into it.
  if (!host || Number(port) > 65_535 || Number(port) === 0) {
    throw invalid('A NATS server is "host:port", without credentials; those go into options of their own.')
  }
  return { address: `${host}:${Number(port)}`, isSecure: scheme === 'tls' }
}

/** Returns what signs the server's challenge, if anything does. */
function signerOf({ user, password, token, nkey, credentials }: NatsOptions) {
  const kinds = [user ?? password, token, nkey, credentials].filter((value) => value !== undefined)
  if (kinds.length > 1) throw invalid('Give one of user, token, nkey and credentials, not several.')
  if (user === undefined && password !== undefined) throw invalid('A password needs a user; give both.')
  if (nkey === undefined && credentials === undefined) return undefined
  const seed = new TextEncoder().encode(nkey?.trim() ?? credentials)
  const sign = nkey === undefined ? credsAuthenticator(seed) : nkeyAuthenticator(seed)
  try {
    sign('challenge') // so that a broken seed is told here, not at every dial
    return sign
  } catch {
    // No cause: it may hold a part of the secret.
    const form = nkey === undefined ? '"credentials" is the content of a file' : '"nkey" is a seed (SU…)'
    throw invalid(`The NATS option ${form}; this one cannot be read, pass it unchanged.`)
  }
}

function tlsOf(tls: NatsOptions['tls'], isAskedFor: boolean): NatsTlsOptions | undefined {
  if (typeof tls === 'object') return checked('NATS TLS', tls, TLS_CHECKS)
  if (tls === false && isAskedFor) throw invalid('A server is tls://, so the option "tls" cannot be false.')
  return (tls ?? isAskedFor) ? {} : undefined
}

/** Makes an `INVALID_OPTIONS` error. */
export function invalid(message: string): RivuletError {
  return new RivuletError('INVALID_OPTIONS', message)
}
