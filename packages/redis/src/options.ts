import { invalid } from './refusal.ts'

/** How to reach Redis or Valkey, and as whom. */
export interface RedisOptions {
  /**
   * The servers, each `host`, `host:port`, `redis://host:port` or `rediss://host:port` (which turns `tls` on for all;
   * `valkey://` and `valkeys://` are the same). Several are nodes of one cluster, or one behind several names: each
   * open tries them in a random order. An IPv6 address stands in brackets.
   *
   * @default '127.0.0.1:6379'
   */
  readonly servers?: string | readonly string[] | undefined
  /** The path of a Unix socket, in place of `servers`. */
  readonly path?: string | undefined
  /**
   * The name of the connection in the server's `CLIENT LIST`: printable ASCII without spaces.
   *
   * @default 'rivulet'
   */
  readonly name?: string | undefined
  /** The user of the server's access list; needs `password`. Without it the password is the default user's. */
  readonly username?: string | undefined
  /** The password of `username`, or of the server (`requirepass`). */
  readonly password?: string | undefined
  /** Insists on TLS. `true` trusts the system's authorities. */
  readonly tls?: boolean | RedisTlsOptions | undefined
  /**
   * Whether to use sharded channels (`SPUBLISH`, `SSUBSCRIBE`), in place of those that a cluster passes to all of its
   * nodes. All processes of a hub use the same: the two kinds of channels are apart. Redis 7 or Valkey.
   *
   * @default false
   */
  readonly sharded?: boolean | undefined
}

/** Certificates as PEM text. There is no way to skip verification. */
export interface RedisTlsOptions {
  /** The authorities to trust instead of the system's. */
  readonly ca?: string | undefined
  /** The client's own certificate, where the server asks for one; `key` belongs to it. */
  readonly cert?: string | undefined
  /** The private key of `cert`, as PEM text. */
  readonly key?: string | undefined
  /** The name to expect in the server's certificate, when it is not the host that is dialled. */
  readonly servername?: string | undefined
}

/** One server to dial: `label` names it in messages. */
export interface Server {
  readonly label: string
  readonly address: { readonly host: string; readonly port: number } | { readonly path: string }
}

/** The options, checked and resolved. */
export type Settings = ReturnType<typeof resolveOptions>

const SERVER =
  /^(?:(?<scheme>redis|valkey)(?<secure>s?):\/\/)?(?<host>[\w.-]+|\[[\dA-Fa-f:.]+\])(?::(?<port>\d{1,5}))?\/?$/
const DEFAULT_PORT = 6379
// What `CLIENT SETNAME` takes.
const NAME = /^[!-~]+$/
const TLS_FORM = 'true, false or an object { ca, cert, key, servername }'

/** Returns in words what the value of an option must be, or `false` when it is that. */
type Check = (value: unknown) => string | false
type Checks<Options> = Readonly<Record<keyof Options, Check>>

const isRecord = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value)
const text: Check = (value) => typeof value !== 'string' && 'a string'
const filled: Check = (value) => (text(value) || value === '') && 'a string that is not empty'
const pem: Check = (value) => text(value) && 'a string with PEM text'
const flag: Check = (value) => typeof value !== 'boolean' && 'true or false'

const CHECKS: Checks<RedisOptions> = {
  servers: (value) => [value].flat().some(text) && 'a string or an array of strings',
  path: (value) => (filled(value) || /\0/.test(value as string)) && 'the path of a Unix socket',
  name: (value) => (text(value) || !NAME.test(value as string)) && 'printable ASCII without spaces',
  ...{ username: filled, password: filled, sharded: flag },
  tls: (value) => flag(value) && !isRecord(value) && TLS_FORM,
}
const TLS_CHECKS: Checks<RedisTlsOptions> = { ca: pem, cert: pem, key: pem, servername: text }

/** Checks the options and fills in what is not given. Throws `INVALID_OPTIONS`, without any secret. */
export function resolveOptions(given: RedisOptions) {
  const options = checked('Redis', given, CHECKS)
  const { servers, path, name = 'rivulet', username, password, sharded = false } = options
  if (username !== undefined && password === undefined) throw invalid('A username needs a password.')
  if (path !== undefined && (servers ?? options.tls) !== undefined) {
    throw invalid('A Unix socket stands in place of servers, and has no TLS; give "path" alone.')
  }
  const parsed = [servers ?? `127.0.0.1:${DEFAULT_PORT}`].flat().map(parseServer)
  if (parsed.length === 0) throw invalid('There is no Redis server to connect to; name at least one.')
  const isSecure = parsed.some((server) => server.isSecure)
  const tls = tlsOf(options.tls, isSecure)
  const dialled: Server[] = path === undefined ? parsed : [{ label: path, address: { path } }]
  return Object.freeze({ servers: dialled, name, username, password, tls, sharded })
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

/** Shows nothing of a text: any of them may be a secret in the wrong place. */
function kindOf(value: unknown): string {
  if (value === null || typeof value === 'boolean') return String(value)
  return typeof value === 'object' ? 'an object' : `such a ${typeof value}`
}

function parseServer(server: string): Server & { isSecure: boolean } {
  const { secure, host, port = String(DEFAULT_PORT) } = SERVER.exec(server)?.groups ?? {}
  // The text is not repeated: credentials may have been put into it.
  if (!host || Number(port) > 65_535 || Number(port) === 0) {
    throw invalid('A Redis server is "host:port", without credentials; those go into options of their own.')
  }
  // Sockets take an IPv6 address bare.
  const address = { host: host.replace(/^\[|\]$/g, ''), port: Number(port) }
  return { label: `${host}:${Number(port)}`, address, isSecure: secure === 's' }
}

function tlsOf(tls: RedisOptions['tls'], isAskedFor: boolean): RedisTlsOptions | undefined {
  if (typeof tls === 'object') return checked('Redis TLS', tls, TLS_CHECKS)
  if (tls === false && isAskedFor) throw invalid('A server is rediss://, so "tls" cannot be false.')
  return (tls ?? isAskedFor) ? {} : undefined
}
