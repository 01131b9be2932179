import { invalid } from './refusal.ts'

/** One broker to connect to. */
export type Server = ReturnType<typeof parseServer>

const SCHEME = /^(mqtt|(?:mqtt\+)?ws)(s?):$/
const PORTS = { mqtt: 1883, mqtts: 8883, ws: 80, wss: 443 }

/** Reads a URL. Throws `INVALID_OPTIONS`, with nothing of the URL in it that could be a secret. */
export function parseServer(text: string, username?: string, password?: string) {
  const url = parseUrl(text)
  const [, transport, secure] = SCHEME.exec(url.protocol) ?? []
  if (transport === undefined) {
    throw invalid(`unknown scheme ${url.protocol}; use one of mqtt: mqtts: ws: wss: mqtt+ws: mqtt+wss:`)
  }
  const scheme = `${transport.replace('mqtt+', '')}${secure}` as keyof typeof PORTS
  const isWebSocket = scheme === 'ws' || scheme === 'wss'
  if (url.hostname === '') throw invalid('the URL names no host; write mqtt://host:1883.')
  if (url.port === '0') throw invalid('the URL names port 0, where nothing can listen; leave the port out.')
  if (!isWebSocket && (url.search !== '' || url.pathname.length > 1)) {
    throw invalid(`a ${scheme}: URL has no path and no query here; pass options such as prefix beside it.`)
  }
  const { hostname } = url
  const port = Number(url.port) || PORTS[scheme]
  const path = url.pathname + url.search
  const hasCredentials = url.username !== '' || url.password !== ''
  return {
    // Sockets take an IPv6 address bare, URLs in brackets.
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    ...{ port, isSecure: secure !== '' },
    // Where its web socket is, when it is spoken to over one.
    webSocket: isWebSocket ? { protocol: scheme, hostname, port, path } : undefined,
    // Names the server in messages; holds neither credentials nor a query.
    label: `${scheme}://${hostname}:${port}`,
    username: hasCredentials ? decoded(url.username) : username,
    password: hasCredentials ? decoded(url.password) || undefined : password,
  }
}

/** Parses a URL; the error of `new URL` would carry the text, and with it a password. */
export function parseUrl(text: string): URL {
  if (!URL.canParse(text)) {
    throw invalid('the URL cannot be parsed; write mqtt://host:1883 and percent-encode credentials.')
  }
  const url = new URL(text)
  // A bare / ? or # in a password ends the host before it: the rest would be dialled, sent or repeated in an error.
  if (url.hash === '' && !`${url.pathname}${url.search}`.includes('@')) return url
  throw invalid(
    'the URL has a bare @ or # behind its host or in a parameter; in credentials / is %2F, ? is %3F, # is %23, @ is %40.',
  )
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalid('the credentials in the URL are not percent-encoded UTF-8; write a % as %25.')
  }
}
