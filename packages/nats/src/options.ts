import { type ConnectionOptions, credsAuthenticator, nkeyAuthenticator } from '@nats-io/transport-node'
import {
  checkOptions,
  flagForm,
  type Given,
  invalidOptions,
  isTlsOn,
  orFunction,
  parseServers,
  patternForm,
  pemForm,
  type Resolved,
  type Rules,
  type ServerAddress,
  type ServerKind,
  textForm,
  textsForm,
  tlsForm,
  visible,
} from 'rivulet/adapter'

/**
 * Options of a connection to NATS. At most one kind of credentials: `user`, `token`, `nkey` or `credentials`. Each of
 * them, and `tls`, may be a function, called at each attempt to connect. When it throws or returns an invalid value the
 * attempt fails, and the next one calls it again. It may take as long as a dial (`timeouts.dialMs`).
 */
export interface NatsOptions {
  /**
   * The servers of one cluster, each `host`, `host:port`, `nats://host:port` or `tls://host:port` (which turns
   * `tls` on for all). Each open tries them in random order. Write an IPv6 address in brackets.
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
  /** The user, for servers that require user and password. */
  readonly user?: Given<string> | undefined
  /** The password that belongs to `user`. */
  readonly password?: Given<string> | undefined
  /** The token, for servers that require one. */
  readonly token?: Given<string> | undefined
  /** The seed of an nkey (`SU…`). It signs the server's challenge and is never sent. */
  readonly nkey?: Given<string> | undefined
  /** The content (not the path) of a `.creds` file. */
  readonly credentials?: Given<string> | undefined
  /** Requires TLS. `true` trusts the system's authorities. Without it TLS is used when the server offers it. */
  readonly tls?: Given<boolean | NatsTlsOptions> | undefined
  /**
   * The prefix of every subject: the stream `positions` of a hub `fleet` is `<prefix>.rivulet.fleet.positions`.
   * One or more words of `[A-Za-z0-9_-]` separated by dots, at most 256 characters.
   */
  readonly prefix?: string | undefined
  /**
   * Whether to reconnect also to servers that the cluster announces, besides those in `servers`. Off by default, because
   * announced addresses are often unreachable from outside, and credentials would be sent there.
   *
   * @default false
   */
  readonly discover?: boolean | undefined
}

/** Certificates as PEM text. There is no way to skip verification. */
export interface NatsTlsOptions {
  /** The authorities to trust instead of the system's. */
  readonly ca?: string | undefined
  /** The client's certificate, for servers that require one; needs `key`. */
  readonly cert?: string | undefined
  /** The private key of `cert`, as PEM text. */
  readonly key?: string | undefined
  /** The name to expect in the server's certificate, when it differs from the dialled host. */
  readonly servername?: string | undefined
  /**
   * Whether to start TLS before the server's first message (`handshake_first` in its configuration).
   *
   * @default false
   */
  readonly handshakeFirst?: boolean | undefined
}

/** The checked options: `servers` with their addresses, `prefix` empty or ending in a dot, `client` for the client. */
export type ResolvedOptions = ReturnType<typeof resolveOptions>

const SERVERS: ServerKind = { product: 'NATS', port: 4222, schemes: { nats: false, tls: true } }
// Together with the longest topic (2 953 characters) well below a server's 4 096 bytes for a control line.
const PREFIX = /^(?=.{1,256}$)[\w-]+(\.[\w-]+)*$/
const PREFIX_FORM = 'words of A-Z a-z 0-9 _ - separated by dots, at most 256 characters'

/** Options with secrets, each of which may be a function. */
type Secrets = Pick<NatsOptions, 'user' | 'password' | 'token' | 'nkey' | 'credentials' | 'tls'>

const TLS_RULES: Rules<NatsTlsOptions> = {
  ca: pemForm,
  cert: pemForm,
  key: pemForm,
  servername: textForm,
  handshakeFirst: visible(flagForm),
}
/** The rule of each secret, applied also to the value of a function. */
export const SECRET_RULES: Rules<Secrets> = {
  user: orFunction(textForm),
  password: orFunction(textForm),
  token: orFunction(textForm),
  nkey: orFunction(textForm),
  credentials: orFunction(textForm),
  tls: orFunction(tlsForm(Object.keys(TLS_RULES).join(', '))),
}
const RULES: Rules<NatsOptions> = {
  servers: textsForm,
  name: textForm,
  ...SECRET_RULES,
  prefix: visible(patternForm(PREFIX, PREFIX_FORM)),
  discover: visible(flagForm),
}

/** Checks the options and turns them into those of the client. Throws `INVALID_OPTIONS`, without any secret. */
export function resolveOptions(given: NatsOptions) {
  const options = checkOptions('NATS', given, RULES)
  const { servers = '127.0.0.1:4222', name = 'rivulet', prefix, discover = false } = options
  const { user, password, token, nkey, credentials, tls } = options
  const parsed = parseServers(servers, SERVERS)
  const secrets: Secrets = { user, password, token, nkey, credentials, tls }
  checkKinds(secrets)
  // Fixed secrets are read here, so that an invalid one is refused here, not at every dial.
  const fixed = Object.entries(secrets).filter(([, secret]) => typeof secret !== 'function')
  clientSecrets(Object.fromEntries(fixed), parsed)
  const client: ConnectionOptions = {
    name,
    // The core reconnects and joins again; if the client did so too it would replay frames published meanwhile.
    reconnect: false,
    ignoreClusterUpdates: !discover,
    noEcho: true,
    // Node's own lookup belongs to the socket, so that aborting a dial ends it.
    resolve: false,
  }
  const beginning = prefix === undefined ? '' : `${prefix}.`
  return Object.freeze({ servers: parsed, prefix: beginning, discover, client, secrets })
}

/** Turns secrets into options of the client. Throws `INVALID_OPTIONS`, without any secret. */
export function clientSecrets(
  secrets: Resolved<Secrets>,
  servers: readonly ServerAddress[],
): ConnectionOptions {
  const { user, password: pass, token, tls } = secrets
  return { user, pass, token, authenticator: signerOf(secrets), tls: tlsOf(tls, servers) }
}

function checkKinds({ user, password, token, nkey, credentials }: Secrets): void {
  const kinds = [user ?? password, token, nkey, credentials].filter((value) => value !== undefined)
  if (kinds.length > 1) throw invalidOptions('Give one of user, token, nkey and credentials, not several.')
  if (user === undefined && password !== undefined)
    throw invalidOptions('A password needs a user; give both.')
}

/** Returns the authenticator that signs the server's challenge, if any. */
function signerOf({ nkey, credentials }: Resolved<Secrets>) {
  if (nkey === undefined && credentials === undefined) return undefined
  const seed = new TextEncoder().encode(nkey?.trim() ?? credentials)
  const sign = nkey === undefined ? credsAuthenticator(seed) : nkeyAuthenticator(seed)
  try {
    sign('challenge') // so that a broken seed is refused before a dial uses it
    return sign
  } catch {
    // No cause: it may contain a part of the secret.
    const form = nkey === undefined ? '"credentials" is the content of a file' : '"nkey" is a seed (SU…)'
    throw invalidOptions(`The NATS option ${form}; this one cannot be read, pass it unchanged.`)
  }
}

function tlsOf(tls: Resolved<Secrets>['tls'], servers: readonly ServerAddress[]): NatsTlsOptions | undefined {
  if (typeof tls === 'object') return checkOptions('NATS TLS', tls, TLS_RULES)
  return isTlsOn(tls, servers, 'NATS') ? {} : undefined
}
