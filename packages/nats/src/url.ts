import type { Transport } from 'rivulet'
import { nats } from './nats.ts'
import { invalid } from './options.ts'

/**
 * Makes the transport that URLs describe: `nats://user:password@host:port?prefix=…`, or `tls://` to insist on
 * TLS. Credentials are percent-decoded; a user without a password is a token. Several URLs are several servers
 * of one cluster; what is not the address stands in one of them, or is the same in all.
 * Throws `INVALID_OPTIONS`, without any secret.
 */
export function transportFromUrls(urls: readonly string[]): Transport {
  const parsed = urls.map(parseUrl)
  const same = (what: 'user' | 'password' | 'prefix') => {
    const given = new Set(parsed.map((url) => url[what]).filter((value) => value !== undefined))
    if (given.size > 1) throw invalid(`The URLs give more than one ${what}; they are servers of one cluster.`)
    return [...given][0]
  }
  const [user, password] = [same('user'), same('password')]
  const credentials = password === undefined ? { token: user } : { user, password }
  return nats({ servers: parsed.map(({ server }) => server), ...credentials, prefix: same('prefix') })
}

function parseUrl(text: string) {
  // Neither the text nor an error that repeats it: there may be a password inside.
  if (!URL.canParse(text)) {
    throw invalid('A NATS URL is nats://user:password@host:port, one for each server; this cannot be read.')
  }
  const { protocol, host, pathname, hash, search, searchParams, username, password } = new URL(text)
  if (protocol !== 'nats:' && protocol !== 'tls:') {
    throw invalid(`A NATS URL begins with nats:// or tls://, not with ${protocol}//.`)
  }
  // A bare `/`, `?` or `#` in a password ends up there, and must not be repeated below.
  if (!/^\/?$/.test(pathname) || search.includes('@') || hash !== '') {
    throw invalid('A NATS URL has no path and no fragment; percent-encode / ? # @ : in credentials.')
  }
  const stray = [...searchParams.keys()].find((name) => name !== 'prefix')
  if (stray !== undefined) throw invalid(`A NATS URL knows the parameter "prefix", not "${stray}".`)
  const prefix = searchParams.get('prefix') ?? undefined
  return { server: `${protocol}//${host}`, user: decoded(username), password: decoded(password), prefix }
}

function decoded(part: string): string | undefined {
  try {
    return part === '' ? undefined : decodeURIComponent(part)
  } catch {
    throw invalid('The credentials of a NATS URL are percent-encoded; a bare % is written %25.')
  }
}
