import { RivuletError } from 'rivulet'
import type { NatsRegistryOptions } from '../registry/nats-bucket.ts'

/** Reads `nats://user:password@host:port` URLs of one cluster. Throws `INVALID_OPTIONS`, without any secret. */
export function natsOptionsOf(urls: readonly string[]): NatsRegistryOptions {
  const parsed = urls.map(parse)
  const [first] = parsed
  if (first === undefined) throw invalid()
  const user = decodeURIComponent(first.username)
  const password = decodeURIComponent(first.password)
  return {
    servers: parsed.map(({ protocol, host }) => `${protocol}//${host}`),
    ...(password !== '' && { user, password }),
    ...(password === '' && user !== '' && { token: user }),
  }
}

function parse(text: string): URL {
  if (!URL.canParse(text)) throw invalid()
  const url = new URL(text)
  if (url.protocol !== 'nats:' && url.protocol !== 'tls:') throw invalid()
  return url
}

function invalid(): RivuletError {
  return new RivuletError(
    'INVALID_OPTIONS',
    'The registry is memory, nats (with a transport of nats:// or tls://), or such a URL of its own.',
  )
}
