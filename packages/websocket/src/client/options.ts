import {
  checkOptions,
  functionForm,
  invalidOptions,
  type Rules,
  textForm,
  visible,
  wholeNumberForm,
} from 'rivulet/adapter'

/** The server to connect to, and the token for it. */
export interface WebSocketOptions {
  /** The server: `ws://` or `wss://`. No credentials and no token in it: URLs end up in logs. */
  readonly url: string
  /**
   * Gives the token that the server asks for. Called at each open, and again 30 seconds before the token expires;
   * what it gives then replaces the token of the open connection. When it throws, or gives an empty text or no text,
   * the next attempt asks again; a token that the server refuses is for good at five in a row. So check that an answer is
   * `ok`. For good at once is a `RivuletError` with the code `TRANSPORT_FAILED` that it throws.
   */
  readonly token?: (() => string | Promise<string>) | undefined
  /**
   * The constructor of WebSockets, for a runtime without a global one, such as Node 20. Called at each dial, after `token`
   * has answered: so one of your own may pass headers and certificates that change.
   *
   * @default globalThis.WebSocket
   */
  readonly WebSocket?: WebSocketConstructor | undefined
  /**
   * How many bytes may wait in the socket, in bytes, 1024 to 2³¹−1. While more wait a frame is not sent, and counts as
   * lost: a slow link gets fewer messages, not old ones.
   *
   * @default 1048576
   */
  readonly maxBufferedBytes?: number | undefined
}

/** A `Uint8Array` of an ordinary buffer, also for a TypeScript before 5.7, where the type takes no argument. */
type Bytes = ReturnType<Uint8ArrayConstructor['from']>

/** Makes a WebSocket, as browsers and the package `ws` have it. */
export type WebSocketConstructor = new (url: string) => WebSocketLike

/** The members of a WebSocket that the transport uses. */
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
  send(bytes: Bytes): void
  /** Closes it. */
  close(code?: number, reason?: string): void
}

/** Options that were checked, with the defaults filled in. */
export interface ResolvedOptions {
  /** Tried one after the other, one at each open. */
  readonly urls: readonly string[]
  readonly token: (() => string | Promise<string>) | undefined
  readonly WebSocket: WebSocketConstructor
  readonly maxBufferedBytes: number
}

const DEFAULT_MAX_BUFFERED_BYTES = 1_048_576
const RULES: Rules<WebSocketOptions> = {
  url: textForm,
  token: (value) => functionForm(value) && 'a function that returns the token',
  WebSocket: (value) => functionForm(value) && 'a constructor of WebSockets',
  maxBufferedBytes: visible(wholeNumberForm(1024, 2 ** 31 - 1)),
}
// Names of secrets that people put into a URL for want of a header; a URL ends up in logs, so it goes into `token`.
const SECRET_PARAMETER =
  /token|secret|passw|jwt|credential|signature|auth(?!or$)|api.?key|\b(access|key|sig)\b|access.?key/i

/** Checks the options. Throws `INVALID_OPTIONS`, which shows no value that may be a secret. */
export function resolveOptions(given: WebSocketOptions, urls?: readonly string[]): ResolvedOptions {
  const options = checkOptions('WebSocket', given, RULES)
  const { url, token, maxBufferedBytes = DEFAULT_MAX_BUFFERED_BYTES } = options
  const { WebSocket = globalThis.WebSocket } = options
  if (WebSocket === undefined) {
    throw invalidOptions(
      'This runtime has no WebSocket (Node has from 22 on); pass one as { WebSocket } (package ws).',
    )
  }
  return Object.freeze({ urls: (urls ?? [url]).map(checkUrl), token, WebSocket, maxBufferedBytes })
}

function checkUrl(text: unknown): string {
  if (typeof text !== 'string' || !URL.canParse(text)) {
    throw invalidOptions('A WebSocket URL is wss://host/path or ws://host:port/path; this cannot be read.')
  }
  const { protocol, username, password, hash, searchParams } = new URL(text)
  if (protocol !== 'ws:' && protocol !== 'wss:') {
    throw invalidOptions(`A WebSocket URL begins with ws:// or wss://, not with ${protocol}//.`)
  }
  if (
    username !== '' ||
    password !== '' ||
    [...searchParams.keys()].some((name) => SECRET_PARAMETER.test(name))
  ) {
    throw invalidOptions('A WebSocket URL holds no credentials; give them by the option "token".')
  }
  if (hash !== '') throw invalidOptions('A WebSocket URL has no fragment; leave out what follows the #.')
  return text
}
