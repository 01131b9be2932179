import { decodeFrame, MAX_INCOMING_BYTES } from 'rivulet/transport'
import { PREFIX_LENGTH } from '../base/protocol.ts'
import { prefixOf } from '../relay/prefixes.ts'

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

/** Reads a frame of a page, as the library writes it, or says in words why it is refused. */
export function checkFrame(frame: Uint8Array, maxBytes: number): CheckedFrame | string {
  if (frame.length > MAX_INCOMING_BYTES) return `it has more than ${MAX_INCOMING_BYTES} bytes`
  // Judged by its size first: to decode hundreds of kilobytes of nothing takes milliseconds.
  if (messagesOfSize(frame, maxBytes) > (frame[0] === LIST ? MAX_MESSAGES : 1)) {
    return `its messages have more than ${maxBytes} bytes`
  }
  const decoded = decodeFrame(frame)
  if (decoded === undefined) return 'it is malformed'
  // Found without decoding where it comes back from upstream, so it must be there.
  const prefix = prefixOf(frame)
  if (prefix === undefined) return 'it does not end with a sid and an age'
  if ('removedBy' in decoded) {
    const isSame = decoded.removedBy.origin.startsWith(prefix)
    return isSame ? { prefix, messages: 1, isRemoval: true } : 'it has messages of two hubs'
  }
  for (const entry of decoded) {
    if (entry === undefined) return 'a message in it is malformed'
    if (entry.sid === undefined) return 'a message in it has no sid'
    if (entry.sid.origin.slice(0, PREFIX_LENGTH) !== prefix) return 'it has messages of two hubs'
  }
  if (messagesOfSize(frame, maxBytes) > decoded.length) {
    return `its messages have more than ${maxBytes} bytes`
  }
  return { prefix, messages: decoded.length, isRemoval: false }
}

/** Returns how many of the largest messages have the size of a frame, rounded up. */
export function messagesOfSize(frame: Uint8Array, maxBytes: number): number {
  return Math.ceil(frame.length / (maxBytes + AROUND_DATA_BYTES))
}
