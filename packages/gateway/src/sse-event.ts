import type { Message } from 'rivulet'

const encoder = new TextEncoder()

/** How long an EventSource waits before it comes again, in milliseconds. */
const RETRY_MS = 2000

/** What every listener is sent first, so that its `open` event means: what is published from now on will come. */
export const OPENING = encoder.encode(`retry: ${RETRY_MS}\n\n`)

/** A comment, which EventSource skips. It keeps proxies from hanging up, and finds out who is gone. */
export const HEARTBEAT = encoder.encode(':\n\n')

/** Writes a message as an event: its sid as the id, its data as the data. JSON has no line breaks. */
export function messageEvent({ sid, data }: Message): Uint8Array {
  const json: string | undefined = JSON.stringify(data) // of what a schema made of the data, which may be no JSON
  return encoder.encode(`id: ${sid}\nevent: messagePublished\ndata: ${json ?? null}\n\n`)
}

/** Writes an event that is about the listening itself. */
export function statusEvent(name: 'removed' | 'closing' | 'dropped', data: object): Uint8Array {
  return encoder.encode(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`)
}
