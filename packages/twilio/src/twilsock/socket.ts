/** A WebSocket as servers of any runtime can offer it. Its methods never throw. */
export interface TwilsockSocket {
  /** Sends a binary message. The bytes are shared and must not be written to. */
  send(bytes: Uint8Array): void
  /** Sends what waits, and closes with that code. */
  close(code: number): void
  /** Ends the connection at once, without what waits. */
  terminate(): void
  /** Sends a WebSocket ping. */
  ping(): void
  /** How many bytes wait because the client does not take them. */
  readonly bufferedBytes: number
}

/** Handles the events of one WebSocket. Its methods never throw. */
export interface TwilsockHandler {
  /** Whether the client is authenticated. Before that it need not send more than 12 KiB in all. */
  readonly isKnown: boolean
  /** Takes a message: bytes of a binary one, a string of a text. The bytes must not change afterwards. */
  receive(message: Uint8Array | string): void
  /** The client has answered a ping. */
  pong(): void
  /** The socket is closed, by whichever side. */
  closed(): void
}
