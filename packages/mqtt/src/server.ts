import { RivuletError } from 'rivulet'

/** One broker to connect to. */
export interface Server {
  readonly scheme: 'mqtt' | 'mqtts' | 'ws' | 'wss'
  readonly isSecure: boolean
  readonly isWebSocket: boolean
  /** As a URL has it: an IPv6 address stands in brackets. */
  readonly hostname: string
  readonly port: number
  /** Path and query of a web socket. */
  readonly path: string
  /** Names the server in messages; holds neither credentials nor a query. */
  readonly label: string
  readonly username: string | undefined
  readonly password: string | undefined
}

const SCHEMES = new Map([
  ['mqtt:', { scheme: 'mqtt', port: 1883 }],
  ['mqtts:', { scheme: 'mqtts', port: 8883 }],
  ['ws:', { scheme: 'ws', port: 80 }],
  ['wss:', { scheme: 'wss', port: 443 }],
  ['mqtt+ws:', { scheme: 'ws', port: 80 }],
  ['mqtt+wss:', { scheme: 'wss', port: 443 }],
] as const)

/** Reads a URL. Throws `INVALID_OPTIONS`, with nothing of the URL in it that could be a secret. */
export function parseServer(text: string, username?: string, password?: string): Server {
  const url = parseUrl(text)
  const known = SCHEMES.get(url.protocol as 'mqtt:')
  if (known === undefined) {
    throw invalid(`unknown scheme ${url.protocol}; use one of ${[...SCHEMES.keys()].join(' ')}.`)
  }
  const { scheme }: Pick<Server, 'scheme'> = known
  const isWebSocket = scheme === 'ws' || scheme === 'wss'
  if (url.hostname === '') throw invalid('the URL names no host; write mqtt://host:1883.')
  if (url.hash !== '') throw invalid('the URL has a fragment; percent-encode a # in credentials as %23.')
  if (!isWebSocket && (url.search !== '' || url.pathname.length > 1)) {
    throw invalid(`a ${scheme}: URL has no path and no query here; pass options such as prefix beside it.`)
  }
  const port = Number(url.port) || known.port
  const hasCredentials = url.username !== '' || url.password !== ''
  return {
    ...{ scheme, isWebSocket, isSecure: scheme === 'mqtts' || scheme === 'wss' },
    ...{ hostname: url.hostname, port, path: (url.pathname || '/') + url.search },
    label: `${scheme}://${url.hostname}:${port}`,
    username: hasCredentials ? decoded(url.username) : username,
    password: hasCredentials ? decoded(url.password) || undefined : password,
  }
}

/** Parses a URL; the error of `new URL` would carry the text, and with it a password. */
export function parseUrl(text: string): URL {
  if (URL.canParse(text)) return new URL(text)
  throw invalid('the URL cannot be parsed; write mqtt://host:1883 and percent-encode credentials.')
}

/** Makes an `INVALID_OPTIONS`. The message must hold nothing that could be a secret. */
export function invalid(message: string): RivuletError {
  return new RivuletError('INVALID_OPTIONS', `@rivulet/mqtt: ${message}`)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalid('the credentials in the URL are not percent-encoded UTF-8; write a % as %25.')
  }
}
