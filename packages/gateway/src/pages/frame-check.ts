import { textOf } from '@rivulet/websocket/protocol'
import { isRemoval, MAX_INCOMING_BYTES } from 'rivulet/adapter'
import { endOfObject, hasAt, latin1At } from './canonical-json.ts'

/** The content of a well-formed frame of a page. */
interface CheckedFrame {
  /** The prefix of all its sids. */
  readonly prefix: string
  readonly messages: number
  readonly isRemoval: boolean
}

/** Bytes around the data of a message, rounded up: the trace that it belongs to, sid, age and keys. */
const AROUND_DATA_BYTES = 192
/** A list in a frame has no more messages. */
const MAX_MESSAGES = 64
const LIST = 0x5b

const DATA_START = '{"data":'
const REMOVAL_START = '{"removed":true'
/**
 * The member behind the data while the publisher traces: a `traceparent` of W3C Trace Context, version 00, whose two ids are
 * not all zeros.
 */
const TRACE = /^,"tp":"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"$/
const TRACE_START = ',"tp":'
const TRACE_BYTES = 63
/** The members behind that, or behind the data: a sid with a number from 1 to 2⁵³−1, and whole milliseconds. */
const END = /^,"sid":"TZ([0-9a-f]{12})[0-9a-f]{4}(?!0{16})00[01][0-9a-f]{13}","t":(?:0|[1-9][0-9]{0,14})\}/
const MAX_END_BYTES = 64

const OTHER_FORM = 'it does not have the form that the library writes'
const TWO_HUBS = 'it has messages of two hubs'

/**
 * Checks that a frame of a page has the form of the library's own frames, byte for byte, or says in words why it is
 * refused. So a reader in any language reads the same as the check: no key is there twice, and no unknown key.
 */
export function checkFrame(frame: Uint8Array, maxBytes: number): CheckedFrame | string {
  const tooLarge = `its messages have more than ${maxBytes} bytes`
  if (frame.length > MAX_INCOMING_BYTES) return `it has more than ${MAX_INCOMING_BYTES} bytes`
  // By its size first: a frame that is much too large is not read.
  if (messagesOfSize(frame, maxBytes) > (frame[0] === LIST ? MAX_MESSAGES : 1)) return tooLarge
  if (textOf(frame) === undefined) return OTHER_FORM
  if (isRemoval(frame)) {
    const end = endAfter(frame, REMOVAL_START.length)
    if (end?.at !== frame.length) return OTHER_FORM
    return { prefix: end.prefix, messages: 1, isRemoval: true }
  }
  return checkMessages(frame, maxBytes) ?? tooLarge
}

/** Returns `undefined` when the data of a message is too large. */
function checkMessages(frame: Uint8Array, maxBytes: number): CheckedFrame | string | undefined {
  const isList = frame[0] === LIST
  const last = isList ? ']' : ''
  let prefix: string | undefined
  for (let messages = 1, at = last.length; messages <= MAX_MESSAGES; messages++) {
    const dataAt = at + DATA_START.length
    const dataEnd = hasAt(frame, at, DATA_START) ? endOfObject(frame, dataAt) : -1
    const end = dataEnd < 0 ? undefined : endAfter(frame, endOfTrace(frame, dataEnd))
    if (end === undefined) return OTHER_FORM
    if (dataEnd - dataAt > maxBytes) return undefined
    prefix ??= end.prefix
    if (end.prefix !== prefix) return TWO_HUBS
    at = end.at + 1
    if (isList && hasAt(frame, end.at, ',')) continue
    // One message is written without a list.
    const isWhole = hasAt(frame, end.at, last) && frame.length === end.at + last.length
    return isWhole && isList === messages > 1 ? { prefix, messages, isRemoval: false } : OTHER_FORM
  }
  return OTHER_FORM
}

/** Returns where the trace of a message ends: where it would begin when there is none of the right form. */
function endOfTrace(frame: Uint8Array, at: number): number {
  if (!hasAt(frame, at, TRACE_START)) return at
  return TRACE.test(latin1At(frame, at, at + TRACE_BYTES)) ? at + TRACE_BYTES : at
}

/** Reads what follows the data of a message and its trace, or the beginning of a removal: the prefix, and where it ends. */
function endAfter(
  frame: Uint8Array,
  at: number,
): { readonly prefix: string; readonly at: number } | undefined {
  const match = END.exec(latin1At(frame, at, at + MAX_END_BYTES))
  return match === null ? undefined : { prefix: match[1] as string, at: at + match[0].length }
}

/** Returns how many of the largest messages have the size of a frame, rounded up. */
export function messagesOfSize(frame: Uint8Array, maxBytes: number): number {
  return Math.ceil(frame.length / (maxBytes + AROUND_DATA_BYTES))
}
