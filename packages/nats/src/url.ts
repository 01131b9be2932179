import type { Transport } from 'rivulet'
import { invalidOptions, oneForAll, parameterName, parseServerUrl, type UrlKind } from 'rivulet/adapter'
import { nats } from './nats.ts'
import type { NatsOptions } from './options.ts'

const URLS: UrlKind = {
  product: 'NATS',
  example: 'nats://user:password@host:port',
  protocols: ['nats:', 'tls:'],
}

/**
 * Makes the transport that URLs describe: `nats://user:password@host:port?prefix=…`, or `tls://` to require
 * TLS. Credentials are percent-decoded; a user without a password is a token. Several URLs are several servers
 * of one cluster; give credentials and parameters in one of them, or the same in all.
 * Throws `INVALID_OPTIONS`, without any secret.
 */
export function transportFromUrls(urls: readonly string[]): Transport {
  const parsed = urls.map(parseUrl)
  const options = oneForAll(
    'NATS',
    parsed.flatMap(({ given }) => given),
  )
  const { user, password, prefix } = options as NatsOptions
  const credentials = password === undefined ? { token: user } : { user, password }
  return nats({ servers: parsed.map(({ server }) => server), ...credentials, prefix })
}

function parseUrl(text: string) {
  const { url, user, password } = parseServerUrl(text, URLS)
  const { protocol, host, searchParams } = url
  const stray = [...searchParams.keys()].find((name) => name !== 'prefix')
  if (stray !== undefined) {
    throw invalidOptions(`The NATS URL has an unknown parameter${parameterName(stray)}; it takes prefix.`)
  }
  const prefix = searchParams.get('prefix') ?? undefined
  const given = Object.entries({ user, password, prefix })
  return { server: `${protocol}//${host}`, given }
}
