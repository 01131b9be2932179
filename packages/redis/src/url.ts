import { emitWarning } from 'node:process'
import type { Transport } from 'rivulet'
import { invalidOptions, oneForAll, parameterName, parseServerUrl, type UrlKind } from 'rivulet/adapter'
import type { RedisOptions } from './options.ts'
import { redis } from './redis.ts'

const PRODUCTS = ['redis', 'valkey']
const URLS: UrlKind = {
  product: 'Redis',
  example: 'redis://username:password@host:port',
  protocols: ['', 's', '-sentinel', 's-sentinel'].flatMap((end) => PRODUCTS.map((name) => `${name}${end}:`)),
  path: /^\/?\d*$/,
}
/** Several Sentinels in one URL, in the form of other clients: `redis-sentinel://user:password@host,host:port?…`. */
const SEVERAL = /^(?<start>\w+-sentinel:\/\/(?:[^/?#]*@)?)(?<hosts>[^/?#@]*,[^/?#@]*)(?<end>.*)$/i
/** Reads a parameter's value; `undefined` when it is malformed. */
const PARAMETERS = new Map<string, (text: string) => string | boolean | undefined>([
  ['path', (text) => text || undefined],
  ['sharded', (text) => ({ true: true, false: false })[text]],
  ['db', (text) => (/^\d+$/.test(text) ? text : undefined)],
])
const SENTINEL_PARAMETERS = new Map([
  ['master', (text: string) => text || undefined],
  ['sentinelUsername', (text: string) => text || undefined],
  ['sentinelPassword', (text: string) => text || undefined],
  ...[...PARAMETERS].filter(([name]) => name !== 'path'),
])

/**
 * Makes the transport that URLs describe: `redis://username:password@host:port?sharded=true`, or `rediss://` to require
 * TLS; `valkey://` and `valkeys://` are the same. Credentials are percent-decoded; without a username the password
 * is the default user's. `redis://localhost?path=/run/redis.sock` is a Unix socket. Several URLs are several servers
 * of one cluster; give credentials and parameters in one of them, or the same in all.
 * `redis-sentinel://username:password@host:port,host:port?master=name` asks Sentinels for the server, and
 * `rediss-sentinel://` uses TLS with all of them; the credentials are for Redis, those for the Sentinels are the
 * parameters `sentinelUsername` and `sentinelPassword`. A database, `/3` or `?db=3`, has no effect and causes a warning
 * of the process: channels are the same in all databases. Throws `INVALID_OPTIONS`, without any secret.
 */
export function transportFromUrls(urls: readonly string[]): Transport {
  const parsed = urls.flatMap(separated).map(parseUrl)
  const options = oneForAll(
    'Redis',
    parsed.flatMap(({ given }) => given),
  )
  const { db = '0', master, sentinelUsername, sentinelPassword, ...rest } = options
  if (options.path !== undefined && parsed.some(({ isPlainLocal }) => !isPlainLocal)) {
    throw invalidOptions(
      'A URL with the parameter "path" is redis://localhost?path=…, with neither a port nor TLS.',
    )
  }
  if (new Set(parsed.map(({ isSentinel }) => isSentinel)).size > 1) {
    throw invalidOptions('The URLs are of Sentinels and of servers; Sentinels name the server by themselves.')
  }
  const servers = parsed.map(({ server }) => server)
  const sentinel = { servers, master, username: sentinelUsername, password: sentinelPassword }
  if (parsed.every(({ isSentinel }) => isSentinel)) Object.assign(rest, { sentinel })
  else if (options.path === undefined) Object.assign(rest, { servers })
  const transport = redis(rest as RedisOptions)
  if (Number(db) !== 0) warnOf(String(db))
  return transport
}

/** Splits a URL with several Sentinels into one URL for each. */
function separated(url: string): string[] {
  const { start, hosts, end } = SEVERAL.exec(url)?.groups ?? {}
  return hosts === undefined ? [url] : hosts.split(',').map((host) => `${start}${host}${end}`)
}

function parseUrl(text: string) {
  const { url, user, password } = parseServerUrl(text, URLS)
  const { protocol, host, pathname, searchParams } = url
  const isSentinel = protocol.endsWith('-sentinel:')
  const isSecure = /^(?:redis|valkey)s/.test(protocol)
  const parameters = isSentinel ? SENTINEL_PARAMETERS : PARAMETERS
  const given: (readonly [string, unknown])[] = [
    ...[...searchParams].map(([name, value]) => [name, read(parameters, name, value)] as const),
    // The server that a Sentinel names uses TLS too.
    ['tls', (isSentinel && isSecure) || undefined],
    ['username', user],
    ['password', password],
    ['db', pathname.slice(1) || undefined],
  ]
  const isPlainLocal = host === 'localhost' && !isSecure
  const server = isSentinel ? host : `${protocol}//${host}`
  return { server, given, isPlainLocal, isSentinel }
}

function read(parameters: typeof PARAMETERS, name: string, text: string): string | boolean {
  const value = parameters.get(name)?.(text)
  if (value !== undefined) return value
  const known = [...parameters.keys()].join(', ')
  throw invalidOptions(`A Redis URL takes ${known}; the parameter${parameterName(name)} is not right.`)
}

function warnOf(db: string): void {
  const detail = 'Channels are the same in all databases; separate programs by ?name=.'
  const message = `The database ${db} in a Redis URL has no effect on streams.`
  emitWarning(message, { type: 'RivuletWarning', detail })
}
