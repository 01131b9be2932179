import {
  checkOptions,
  filledForm,
  flagForm,
  type Given,
  invalidOptions,
  isTlsOn,
  objectForm,
  orFunction,
  parseServers,
  patternForm,
  pemForm,
  type Rules,
  type ServerAddress,
  type ServerKind,
  textForm,
  textsForm,
  tlsForm,
  visible,
} from 'rivulet/adapter'

/** The servers of Redis or Valkey, and the login. A function given for a value is called at each attempt to connect. */
export interface RedisOptions {
  /**
   * The servers, each `host`, `host:port`, `redis://host:port` or `rediss://host:port` (which turns `tls` on for all;
   * `valkey://` and `valkeys://` are the same). Several are nodes of one cluster, or names of one server: each open tries
   * them in random order. Write an IPv6 address in brackets.
   *
   * @default '127.0.0.1:6379'
   */
  readonly servers?: string | readonly string[] | undefined
  /** The path of a Unix socket, instead of `servers`. */
  readonly path?: string | undefined
  /**
   * The name of the connection in the server's `CLIENT LIST`: printable ASCII without spaces.
   *
   * @default 'rivulet'
   */
  readonly name?: string | undefined
  /** The user of the server's access list; needs `password`. Without it the password is the default user's. */
  readonly username?: Given<string> | undefined
  /** The password of `username`, or of the server (`requirepass`). */
  readonly password?: Given<string> | undefined
  /** Requires TLS. `true` trusts the system's authorities. */
  readonly tls?: boolean | RedisTlsOptions | undefined
  /**
   * Whether to use sharded channels (`SPUBLISH`, `SSUBSCRIBE`); a cluster forwards messages of other channels to all
   * nodes. Must be the same in all processes of a hub: the two kinds do not mix. Redis 7 or Valkey.
   *
   * @default false
   */
  readonly sharded?: boolean | undefined
  /** The Sentinels that name the server to connect to, instead of `servers`. */
  readonly sentinel?: RedisSentinelOptions | undefined
}

/** Sentinels, asked in turn at each open for the current master. */
export interface RedisSentinelOptions {
  /** The Sentinels, in the form of the option `servers`; the default port is 26379. */
  readonly servers: string | readonly string[]
  /** The name under which they monitor the master (`sentinel monitor <name> …`). */
  readonly master: string
  /** A user of the Sentinels' own access list; needs `password`. */
  readonly username?: Given<string> | undefined
  /** The password of the Sentinels, separate from that of Redis. */
  readonly password?: Given<string> | undefined
  /**
   * Whether to use TLS with the Sentinels.
   *
   * @default the option `tls` of Redis
   */
  readonly tls?: boolean | RedisTlsOptions | undefined
}

/** Certificates as PEM text. There is no way to skip verification. */
export interface RedisTlsOptions {
  /** The authorities to trust instead of the system's. */
  readonly ca?: Given<string> | undefined
  /** The client's certificate, for servers that require one; needs `key`. */
  readonly cert?: Given<string> | undefined
  /** The private key of `cert`, as PEM text. */
  readonly key?: Given<string> | undefined
  /** The name to expect in the server's certificate, when it differs from the dialled host. */
  readonly servername?: string | undefined
}

/** One server to dial: `label` names it in messages. */
export interface Server {
  readonly label: string
  readonly address: { readonly host: string; readonly port: number } | { readonly path: string }
}

/** The options, checked and resolved. */
export type Settings = ReturnType<typeof resolveOptions>
export type SentinelSettings = NonNullable<Settings['sentinel']>

const SCHEMES = { redis: false, rediss: true, valkey: false, valkeys: true }
const SERVERS: ServerKind = { product: 'Redis', port: 6379, schemes: SCHEMES }
const SENTINELS: ServerKind = { product: 'Redis', port: 26_379, schemes: SCHEMES }
// The names that a Sentinel accepts for a master.
const MASTER = /^[\w.-]+$/
// The names that `CLIENT SETNAME` accepts.
const NAME = /^[!-~]+$/
// A C string: without NUL.
const PATH = /^[^\0]+$/

/** The rules of the certificates. */
export const TLS_RULES: Rules<RedisTlsOptions> = {
  ca: orFunction(pemForm),
  cert: orFunction(pemForm),
  key: orFunction(pemForm),
  servername: textForm,
}
const TLS_NAMES = Object.keys(TLS_RULES).join(', ')
const SENTINEL_RULES: Rules<RedisSentinelOptions> = {
  servers: textsForm,
  master: patternForm(MASTER, 'letters, digits and . _ -'),
  username: orFunction(filledForm),
  password: orFunction(filledForm),
  tls: tlsForm(TLS_NAMES),
}
const RULES: Rules<RedisOptions> = {
  servers: textsForm,
  path: patternForm(PATH, 'the path of a Unix socket'),
  name: patternForm(NAME, 'printable ASCII without spaces'),
  username: orFunction(filledForm),
  password: orFunction(filledForm),
  tls: tlsForm(TLS_NAMES),
  sharded: visible(flagForm),
  sentinel: objectForm(`an object { ${Object.keys(SENTINEL_RULES).join(', ')} }`),
}

/** Checks the options and fills in the defaults. Throws `INVALID_OPTIONS`, without any secret. */
export function resolveOptions(given: RedisOptions) {
  const options = checkOptions('Redis', given, RULES)
  const { servers, path, name = 'rivulet', username, password, sharded = false } = options
  if (username !== undefined && password === undefined) throw invalidOptions('A username needs a password.')
  if (path !== undefined && (servers ?? options.tls) !== undefined) {
    throw invalidOptions('A Unix socket stands in place of servers, and has no TLS; give "path" alone.')
  }
  if (options.sentinel !== undefined && (servers ?? path) !== undefined) {
    throw invalidOptions('Sentinels name the server; give "sentinel" in place of "servers" and "path".')
  }
  const parsed = parseServers(servers ?? '127.0.0.1', SERVERS)
  const tls = tlsOf(options.tls, parsed)
  const dialled: readonly Server[] =
    path === undefined ? parsed.map(serverOf) : [{ label: path, address: { path } }]
  const sentinel = options.sentinel && resolveSentinel(options.sentinel, tls)
  return Object.freeze({ servers: dialled, name, username, password, tls, sharded, sentinel })
}

/** Checks the options of Sentinels; `tls` is their default. */
function resolveSentinel(given: RedisSentinelOptions, tls: RedisTlsOptions | undefined) {
  const options = checkOptions('Redis Sentinel', given, SENTINEL_RULES)
  const { servers, master, username, password } = options
  if (servers === undefined || master === undefined) {
    throw invalidOptions(
      'Sentinels are given as { servers, master }, in a URL redis-sentinel://host:port?master=name.',
    )
  }
  if (username !== undefined && password === undefined) {
    throw invalidOptions('A username of a Sentinel needs a password.')
  }
  const parsed = parseServers(servers, SENTINELS)
  const ownTls = options.tls === undefined ? (tls ?? tlsOf(undefined, parsed)) : tlsOf(options.tls, parsed)
  return Object.freeze({ servers: parsed.map(serverOf), master, username, password, tls: ownTls })
}

function serverOf({ label, host, port }: ServerAddress): Server {
  return { label, address: { host, port } }
}

function tlsOf(tls: RedisOptions['tls'], servers: readonly ServerAddress[]): RedisTlsOptions | undefined {
  if (typeof tls === 'object') return checkOptions('Redis TLS', tls, TLS_RULES)
  return isTlsOn(tls, servers, 'Redis') ? {} : undefined
}
