/** The version of the protocol that both ends use; the README has it byte by byte. */
export const PROTOCOL_VERSION = 1
/** The time between two pings of the server. */
export const PING_EVERY_MS = 2_000
/** An end that has received nothing for so long closes the connection. */
export const SILENCE_MS = 6_000
/** The largest frame that a page sends: as much as the core makes. */
export const MAX_PAGE_FRAME_BYTES = 256 * 1024
/** The largest message of a page, in bytes: a frame as large as the core takes one, and the longest topic. */
export const MAX_MESSAGE_BYTES = 323 * 1024
/** The most that a pending connection, whose token is not checked yet, may send in all, in bytes. */
export const MAX_PENDING_BYTES = 12 * 1024
/** The form of a prefix of sids' origins. */
export const PREFIX = /^[0-9a-f]{12}$/
/** The hex digits of a prefix. */
export const PREFIX_LENGTH = 12
/** The number of prefixes that a page gets. */
export const PREFIXES_PER_PAGE = 4
/** A secret of a page: 16 random bytes. */
export const PAGE_SECRET = /^[0-9a-f]{32}$/

/** The first byte of each message. */
export const KIND = {
  hello: 1,
  join: 2,
  leave: 3,
  frame: 4,
  barrier: 5,
  token: 6,
  pong: 7,
  welcome: 17,
  joined: 18,
  refused: 19,
  left: 20,
  renewed: 21,
  fault: 22,
  progress: 23,
  ping: 24,
} as const

/** Names one kind of message by its number. */
export type Kind = (typeof KIND)[keyof typeof KIND]

/** The close codes of the server. Below 4400: come back, now or soon. From there on: it will be refused again. */
export const CLOSE = {
  away: 4100,
  restart: 4101,
  slow: 4102,
  expired: 4103,
  takenOver: 4104,
  later: 4105,
  protocol: 4400,
  refused: 4401,
} as const

const FIRST_FINAL_CODE: number = CLOSE.protocol
const LAST_FINAL_CODE = 4499

/** Returns whether a close code says that trying again soon is pointless. */
export function isFinalCode(code: number): boolean {
  return code >= FIRST_FINAL_CODE && code <= LAST_FINAL_CODE
}

/** The first message of a page, as JSON. */
export interface HelloMessage {
  /** The version of the protocol that the page uses. */
  readonly version: number
  /** The name of the page's hub. */
  readonly hub: string
  /** 32 hex digits of the page's choice, known to the page and the server only: equal ones get equal prefixes. */
  readonly secret: string
  /** The page's token, if it has one. */
  readonly token?: string | undefined
  /** Whether the page takes messages of the kind `progress`. */
  readonly progress?: boolean | undefined
}

/** The server's response to a hello, as JSON. */
export interface WelcomeMessage {
  /** The version of the protocol that the server uses. */
  readonly version: number
  /** The largest frame that the page may send, in bytes. */
  readonly maxFrameBytes: number
  /** Whether the frames of a publisher arrive in order. */
  readonly ordered: boolean
  /** The origins of the page's sids begin with these. */
  readonly prefixes: readonly string[]
  /** Milliseconds until the session ends; absent when it never does. */
  readonly expiresInMs?: number | undefined
}

/** A message that was read. Parts that its kind does not have are 0 or empty. */
export interface ProtocolMessage {
  /** The first byte. */
  readonly kind: Kind
  /** The number of a join or a barrier. */
  readonly id: number
  /** The topic of a frame, a leave or a fault. */
  readonly topic: string
  /** The bytes behind: text, JSON or a frame. A view of the bytes that were read. */
  readonly rest: Uint8Array
}

/** Kinds that have a number before the rest, and kinds that have a topic there. */
const NUMBERED: ReadonlySet<Kind> = new Set([KIND.join, KIND.barrier, KIND.joined, KIND.refused])
const TOPICAL: ReadonlySet<Kind> = new Set([KIND.leave, KIND.frame, KIND.left, KIND.fault])
const KINDS: ReadonlySet<number> = new Set(Object.values(KIND))

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Writes a message of a kind and a text. */
export function encodeText(kind: Kind, text = ''): Bytes {
  return encode(kind, new Uint8Array(0), encoder.encode(text))
}

/** Writes a message of a kind, a number and a text. */
export function encodeNumbered(kind: Kind, id: number, text = ''): Bytes {
  return encode(kind, new Uint8Array([id >>> 24, id >>> 16, id >>> 8, id]), encoder.encode(text))
}

/** Writes a message of a kind, a topic and bytes or a text. */
export function encodeTopical(kind: Kind, topic: string, rest: Uint8Array | string = ''): Bytes {
  const name = encoder.encode(topic)
  const head = new Uint8Array(2 + name.length)
  head[0] = name.length >>> 8
  head[1] = name.length
  head.set(name, 2)
  return encode(kind, head, typeof rest === 'string' ? encoder.encode(rest) : rest)
}

/** Bytes that a socket takes, in the words of every TypeScript: before 5.7 `Uint8Array` has no parameter. */
type Bytes = ReturnType<Uint8ArrayConstructor['from']>

function encode(kind: Kind, head: Uint8Array, rest: Uint8Array): Bytes {
  const bytes = new Uint8Array(1 + head.length + rest.length)
  bytes[0] = kind
  bytes.set(head, 1)
  bytes.set(rest, 1 + head.length)
  return bytes
}

/** Reads a message; `undefined` when it is malformed. Never throws. */
export function decode(bytes: Uint8Array): ProtocolMessage | undefined {
  const kind = bytes[0] as Kind
  if (!KINDS.has(kind)) return undefined
  if (NUMBERED.has(kind)) {
    if (bytes.length < 5) return undefined
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    return { kind, id: view.getUint32(1), topic: '', rest: bytes.subarray(5) }
  }
  if (!TOPICAL.has(kind)) return { kind, id: 0, topic: '', rest: bytes.subarray(1) }
  const end = 3 + (bytes[1] as number) * 256 + (bytes[2] as number)
  // Also when there is no length: then `end` is no number.
  if (!(end <= bytes.length)) return undefined
  const topic = textOf(bytes.subarray(3, end))
  return topic === undefined ? undefined : { kind, id: 0, topic, rest: bytes.subarray(end) }
}

/** Reads UTF-8; `undefined` when it is none. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

/** Reads an object as JSON; one without members when it is none. What it holds is not checked. */
export function objectOf(bytes: Uint8Array): Record<string, unknown> {
  try {
    return Object(JSON.parse(decoder.decode(bytes)))
  } catch {
    return {}
  }
}
