import { decodeFrame, encodeFrame, MAX_INCOMING_BYTES } from 'rivulet/transport'
import { PREFIX_LENGTH, textOf } from '../base/protocol.ts'

/** What a frame of a page holds, once its form is right. */
interface CheckedFrame {
  /** The prefix of all its sids. */
  readonly prefix: string
  readonly messages: number
  readonly isRemoval: boolean
}

/** Bytes around the data of a message: sid, age and keys. */
const AROUND_DATA_BYTES = 128
/** A list in a frame has no more messages. */
const MAX_MESSAGES = 64
const LIST = 0x5b

const OTHER_FORM = 'it does not have the form that the library writes'
const TWO_HUBS = 'it has messages of two hubs'

/**
 * Checks that a frame of a page is what the library writes, byte for byte, or says in words why it is refused. So
 * whoever reads it, in whatever language, reads what was checked: it has no key twice and none that is not known.
 */
export function checkFrame(frame: Uint8Array, maxBytes: number): CheckedFrame | string {
  const tooLarge = `its messages have more than ${maxBytes} bytes`
  if (frame.length > MAX_INCOMING_BYTES) return `it has more than ${MAX_INCOMING_BYTES} bytes`
  // By its size first: to decode hundreds of kilobytes of nothing takes milliseconds.
  if (messagesOfSize(frame, maxBytes) > (frame[0] === LIST ? MAX_MESSAGES : 1)) return tooLarge
  const decoded = decodeFrame(frame)
  if (decoded === undefined || encodeFrame(decoded) !== textOf(frame)) return OTHER_FORM
  if ('removedBy' in decoded) return { prefix: prefixIn(decoded.removedBy), messages: 1, isRemoval: true }
  if (messagesOfSize(frame, maxBytes) > decoded.length) return tooLarge
  const prefixes = new Set(decoded.map((entry) => entry?.sid && prefixIn(entry.sid)))
  const [prefix] = prefixes
  return prefix === undefined || prefixes.size > 1
    ? TWO_HUBS
    : { prefix, messages: decoded.length, isRemoval: false }
}

function prefixIn({ origin }: { readonly origin: string }): string {
  return origin.slice(0, PREFIX_LENGTH)
}

/** Returns how many of the largest messages have the size of a frame, rounded up. */
export function messagesOfSize(frame: Uint8Array, maxBytes: number): number {
  return Math.ceil(frame.length / (maxBytes + AROUND_DATA_BYTES))
}
