import type { Message } from 'rivulet'
import { dataJson } from '../streams/message-json.ts'

const encoder = new TextEncoder()

/** How long an EventSource waits before it comes again, in milliseconds. */
const RETRY_MS = 2000

/** What every listener is sent first, so that its `open` event means: what is published from now on will come. */
export const OPENING = encoder.encode(`retry: ${RETRY_MS}\n\n`)

/** A comment, which EventSource skips. It keeps proxies from hanging up, and finds out who is gone. */
export const HEARTBEAT = encoder.encode(':\n\n')

/** Writes a message as an event: its sid as the id, its data as the data. JSON has no line breaks. */
export function messageEvent(message: Message): Uint8Array {
  return encoder.encode(`id: ${message.sid}\nevent: messagePublished\ndata: ${dataJson(message)}\n\n`)
}

/** Writes an event that is about the listening itself. */
export function statusEvent(name: 'removed' | 'closing' | 'dropped', data: object): Uint8Array {
  return encoder.encode(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`)
}
