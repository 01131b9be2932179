import { invalidOptions, parseServerUrl, type UrlKind } from 'rivulet/adapter'

/** One broker to connect to. */
export type Server = ReturnType<typeof parseServer>

const PORTS = { mqtt: 1883, mqtts: 8883, ws: 80, wss: 443 }
/** The URLs of brokers. */
export const URLS: UrlKind = {
  product: 'MQTT',
  example: 'mqtt://host:1883',
  protocols: ['mqtt:', 'mqtts:', 'ws:', 'wss:', 'mqtt+ws:', 'mqtt+wss:'],
  // The path of a WebSocket.
  path: /^/,
}

/** Reads a URL. Throws `INVALID_OPTIONS`, without any part of the URL that could be a secret. */
export function parseServer(text: string) {
  const { url, user, password } = parseServerUrl(text, URLS)
  const scheme = url.protocol.replace(/^mqtt\+|:$/g, '') as keyof typeof PORTS
  const isWebSocket = scheme === 'ws' || scheme === 'wss'
  if (url.hostname === '') throw invalidOptions('The MQTT URL names no host; write mqtt://host:1883.')
  if (url.port === '0') {
    throw invalidOptions('The MQTT URL names port 0, where nothing can listen; leave the port out.')
  }
  if (!isWebSocket && (url.search !== '' || url.pathname.length > 1)) {
    throw invalidOptions(
      `A ${scheme}: URL has no path and no query here; pass options such as prefix beside it.`,
    )
  }
  const { hostname } = url
  const port = Number(url.port) || PORTS[scheme]
  const path = url.pathname + url.search
  const hasCredentials = user !== undefined || password !== undefined
  return {
    // Sockets expect an IPv6 address without brackets, URLs with them.
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port,
    isSecure: scheme === 'mqtts' || scheme === 'wss',
    // The address of its WebSocket, if the URL is of one.
    webSocket: isWebSocket ? { protocol: scheme, hostname, port, path } : undefined,
    // Names the server in messages; contains neither credentials nor a query.
    label: `${scheme}://${hostname}:${port}`,
    // The credentials of the URL, preferred to those of the options.
    credentials: hasCredentials ? { username: user ?? '', password } : undefined,
  }
}
