/** Where to connect to, and as whom. */
export interface WebSocketOptions {
  /** The endpoint: `ws://` or `wss://`. No credentials and no token in it: URLs end up in logs. */
  readonly url: string
  /**
   * Gives the token that the endpoint asks for. Called at each open, and again 30 seconds before the token expires;
   * what it gives then replaces the token of the connection that stands.
   */
  readonly token?: () => string | Promise<string>
  /**
   * The constructor of WebSockets, for a runtime without a global one, such as Node 20.
   *
   * @default globalThis.WebSocket
   */
  readonly WebSocket?: WebSocketConstructor
  /**
   * How many bytes may wait in the socket, in bytes, 1024 to 2³¹−1. While more wait a frame is not sent, and counts as
   * lost: a slow link gets fewer messages, not old ones.
   *
   * @default 1048576
   */
  readonly maxBufferedBytes?: number
}

/** Makes a WebSocket, as browsers and the package `ws` have it. */
export type WebSocketConstructor = new (url: string) => WebSocketLike

/** What the transport uses of a WebSocket. */
export interface WebSocketLike {
  /** Set to `arraybuffer`. */
  binaryType: string
  /** 1 while it is open. */
  readonly readyState: number
  /** How many bytes wait to be sent. */
  readonly bufferedAmount: number
  /** Called when it is open. */
  // biome-ignore lint/suspicious/noExplicitAny: the types of events differ between runtimes
  onopen: ((event: any) => void) | null
  /** Called with each message. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  onmessage: ((event: any) => void) | null
  /** Called when it is closed. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  onclose: ((event: any) => void) | null
  /** Called when it failed; `onclose` follows. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  onerror: ((event: any) => void) | null
  /** Sends a binary message. */
  send(bytes: Uint8Array<ArrayBuffer>): void
  /** Closes it. */
  close(code?: number, reason?: string): void
}
