import type { Transport } from 'rivulet'
import type { WebSocketOptions } from './options.ts'

/** Makes a transport over a WebSocket to an endpoint that relays frames. Throws `INVALID_OPTIONS`. */
export function websocket(options: WebSocketOptions): Transport {
  throw new Error(`not yet: ${options.url}`)
}

/** Makes the transport of a URL, `ws://` or `wss://`. Throws `INVALID_OPTIONS`. */
export function transportFromUrls(urls: readonly string[]): Transport {
  return websocket({ url: urls[0] as string })
}
