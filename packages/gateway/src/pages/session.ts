import type { Relay } from './relay/relay.ts'

/** The first message of a page. */
export interface PageHello {
  /** The name of its hub. */
  readonly hub: string
  /** Its token, when it has one. */
  readonly token: string | undefined
}

/** The permissions of a page, for as long as its token is valid. */
export interface PageSession {
  /** Carries the frames of the page's hub. */
  readonly relay: Relay
  /** The identity of the page. A new token must be of the same one. */
  readonly identity: string
  /** Returns whether the page may do something with a stream. Asked at every join and every frame. */
  may(action: PageAction, streamName: string): boolean
  /** The time at which the session ends, in milliseconds since 1970; `undefined` for never. */
  readonly expiresMs: number | undefined
  /**
   * 32 bytes or more, from which the prefixes of pages' sids are derived. Where it is equal at all servers, a page that
   * comes from another one keeps its prefixes. `undefined` for a random one of this process.
   */
  readonly prefixKey: Uint8Array | undefined
  /**
   * Whether the page is a process that is trusted like one on the broker itself. Its frames are not looked into, and
   * not limited in rate. Never for a browser.
   *
   * @default false
   */
  readonly isTrusted?: boolean | undefined
  /** Called once: the connection is over, or another session has replaced this one. */
  ended?(): void
}

/** An action of a page on a stream. */
export type PageAction = 'publish' | 'listen' | 'remove'

/** The reason why a page is refused. */
export interface PageRefusal {
  /** The reason, of which the page receives 120 bytes at most. Holds no secret. */
  readonly refused: string
  /** Whether trying again soon is pointless: the page's hub then fails with `TRANSPORT_FAILED`. */
  readonly isFinal: boolean
}

/** The socket of a page, of any server. Its methods never throw. */
export interface PageSocket {
  /** Sends a binary message. The bytes are shared and must not be written to. */
  send(bytes: Uint8Array): void
  /** Sends what waits, and closes with that code. */
  close(code: number, reason?: string): void
  /** Ends the connection at once, without what waits. */
  terminate(): void
  /** The bytes that wait because the page does not read them. */
  readonly bufferedBytes: number
}

/** Takes the events of one page's socket. Its methods never throw. */
export interface PageHandler {
  /** Whether the page was let in. Before that, end a socket that has sent more than 12 KiB in all. */
  readonly isKnown: boolean
  /** Takes a message: bytes of a binary one, a string of a text. The bytes must not change afterwards. */
  receive(message: Uint8Array | string): void
  /** The socket is closed, by whichever side. */
  closed(): void
}

/** Takes log lines; a pino logger fits. Lines hold no payload, no token and no name of a stream. */
export interface PagesLog {
  /** Frequent events: a page comes or goes. */
  debug(fields: object, message: string): void
  /** Normal events. */
  info(fields: object, message: string): void
  /** Events that need attention. */
  warn(fields: object, message: string): void
}
