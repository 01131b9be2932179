import { RivuletError, type Transport } from 'rivulet'
import { nats } from './nats.ts'
import type { NatsOptions } from './options.ts'

const SCHEMES = ['nats:', 'tls:']

/**
 * Makes the transport that URLs describe: `nats://user:password@host:port?prefix=…`, or `tls://` to insist on
 * TLS. Credentials are percent-decoded; a user without a password is a token. Several URLs are several servers
 * of one cluster; what is not the address stands in one of them, or is the same in all.
 * Throws `INVALID_OPTIONS`, without any secret.
 */
export function transportFromUrls(urls: readonly string[]): Transport {
  const parsed = urls.map(parseUrl)
  const servers = parsed.map((url) => `${url.protocol}//${url.host}`)
  const user = same(
    'user',
    parsed.map((url) => decoded(url.username)),
  )
  const password = same(
    'password',
    parsed.map((url) => decoded(url.password)),
  )
  const prefix = same(
    'prefix',
    parsed.map((url) => url.searchParams.get('prefix') ?? undefined),
  )
  return nats({ servers, ...credentials(user, password), ...(prefix !== undefined && { prefix }) })
}

function parseUrl(text: string): URL {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    // Neither the text nor the cause, which repeats it: there may be a password inside.
    throw invalid(
      'A NATS URL is "nats://user:password@host:port", one for each server; this one cannot be read.',
    )
  }
  if (!SCHEMES.includes(url.protocol)) {
    throw invalid(`A NATS URL begins with nats:// or tls://, not with ${url.protocol}//.`)
  }
  // A bare `/`, `?` or `#` in a password ends up there, and must not be repeated below.
  if (!/^\/?$/.test(url.pathname) || url.search.includes('@') || url.hash !== '') {
    throw invalid('A NATS URL has no path and no fragment; percent-encode / ? # @ : in credentials.')
  }
  for (const parameter of url.searchParams.keys()) {
    if (parameter !== 'prefix') throw invalid(`A NATS URL knows the parameter "prefix", not "${parameter}".`)
  }
  return url
}

function decoded(part: string): string | undefined {
  if (part === '') return undefined
  try {
    return decodeURIComponent(part)
  } catch {
    throw invalid('The credentials of a NATS URL are percent-encoded; a bare % is written %25.')
  }
}

function same(what: string, values: readonly (string | undefined)[]): string | undefined {
  const given = new Set(values.filter((value) => value !== undefined))
  if (given.size > 1) throw invalid(`The URLs give more than one ${what}; they are servers of one cluster.`)
  return [...given][0]
}

function credentials(user: string | undefined, password: string | undefined): NatsOptions {
  if (user === undefined) return password === undefined ? {} : { password }
  return password === undefined ? { token: user } : { user, password }
}

function invalid(message: string): RivuletError {
  return new RivuletError('INVALID_OPTIONS', message)
}
