import { emitWarning } from 'node:process'
import type { Transport } from 'rivulet'
import type { RedisOptions } from './options.ts'
import { redis } from './redis.ts'
import { invalid } from './refusal.ts'

const FORM = 'A Redis URL is redis://username:password@host:port'
const SCHEME = /^(?:redis|valkey)(?<secure>s?):$/
/** Reads a parameter's value; `undefined` when it is malformed. */
const PARAMETERS = new Map<string, (text: string) => string | boolean | undefined>([
  ['path', (text) => text || undefined],
  ['sharded', (text) => ({ true: true, false: false })[text]],
  ['db', (text) => (/^\d+$/.test(text) ? text : undefined)],
])

/**
 * Makes the transport that URLs describe: `redis://username:password@host:port?sharded=true`, or `rediss://` to insist
 * on TLS; `valkey://` and `valkeys://` are the same. Credentials are percent-decoded; without a username the password
 * is the default user's. `redis://localhost?path=/run/redis.sock` is a Unix socket. Several URLs are several servers
 * of one cluster; what is not the address stands in one of them, or is the same in all. A database, `/3` or `?db=3`,
 * has no effect and is told as a warning of the process: channels are the same in all databases.
 * Throws `INVALID_OPTIONS`, without any secret.
 */
export function transportFromUrls(urls: readonly string[]): Transport {
  const parsed = urls.map(parseUrl)
  const options: Record<string, unknown> = {}
  for (const [name, value] of parsed.flatMap(({ given }) => given)) {
    if ((options[name] ?? value) !== value) {
      throw invalid(`The URLs give more than one ${name}; they are servers of one cluster.`)
    }
    options[name] = value
  }
  const { db = '0', ...rest } = options
  if (options.path !== undefined && parsed.some(({ isPlainLocal }) => !isPlainLocal)) {
    throw invalid('A URL with the parameter "path" is redis://localhost?path=…, with neither a port nor TLS.')
  }
  const servers = options.path === undefined ? { servers: parsed.map(({ server }) => server) } : {}
  const transport = redis({ ...rest, ...servers } as RedisOptions)
  if (Number(db) !== 0) warnOf(String(db))
  return transport
}

function parseUrl(text: string) {
  // Neither the text nor an error that repeats it: there may be a password inside.
  if (!URL.canParse(text)) throw invalid(`${FORM}, one for each server; this cannot be read.`)
  const { protocol, host, pathname, hash, search, searchParams, username, password } = new URL(text)
  const scheme = SCHEME.exec(protocol)?.groups
  if (scheme === undefined) throw invalid(`${FORM}, or rediss:, valkey:, valkeys:, not ${protocol}//.`)
  // A bare `/`, `?` or `#` in a password ends up there, and must not be repeated below.
  if (!/^\/?\d*$/.test(pathname) || search.includes('@') || hash !== '') {
    throw invalid(`${FORM}, without a path or fragment; percent-encode / ? # @ : in credentials.`)
  }
  const given = [...searchParams].map(([name, value]) => [name, read(name, value)] as const)
  if (username !== '') given.push(['username', decoded(username)])
  if (password !== '') given.push(['password', decoded(password)])
  if (pathname.length > 1) given.push(['db', pathname.slice(1)])
  const isPlainLocal = host === 'localhost' && scheme.secure === ''
  return { server: `${protocol}//${host}`, given, isPlainLocal }
}

function read(name: string, text: string): string | boolean {
  const value = PARAMETERS.get(name)?.(text)
  if (value !== undefined) return value
  // A name of another form may be a piece of a password that was not percent-encoded.
  const which = /^[A-Za-z]+$/.test(name) ? ` "${name}"` : ''
  throw invalid(`A Redis URL knows ${[...PARAMETERS.keys()].join(', ')}; the parameter${which} is not right.`)
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw invalid('The credentials of a Redis URL are percent-encoded; a bare % is written %25.')
  }
}

function warnOf(db: string): void {
  const detail = 'Channels are the same in all databases; tell programs apart by ?name=.'
  const message = `The database ${db} in a Redis URL has no effect on streams.`
  emitWarning(message, { type: 'RivuletWarning', detail })
}
