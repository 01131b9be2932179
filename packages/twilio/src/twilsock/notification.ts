import { dataJson } from '@rivulet/gateway/protocol'
import type { Message } from 'rivulet'
import type { StreamRecord } from '../registry/stream-record.ts'
import { writeJsonFrame } from './frame.ts'

/** The changes of subscriptions, with one entry for each. */
export type SubscriptionEvent = 'subscription_established' | 'subscription_canceled' | 'subscription_failed'

// Twilio's number for the form of events.
const VERSION = 4

/** Writes the notification of a message: once for all connections, which therefore see the same id. */
export function messageNotification(message: Message, { sid }: StreamRecord): Uint8Array {
  const event = `{"stream_sid":"${sid}","message_sid":"${message.sid}","message_data":${dataJson(message)}}`
  const json = `{"event_type":"stream_message_published","event_protocol_version":${VERSION},"event":${event}}`
  return notification(`TM${message.sid.slice(2)}`, json)
}

/** Writes the notification that a stream is gone. */
export function removalNotification(streamSid: string): Uint8Array {
  const event = { stream_sid: streamSid }
  const content = { event_type: 'stream_removed', event_protocol_version: VERSION, event }
  return notification(newId(), JSON.stringify(content))
}

/** Writes what became of the subscriptions of one request, whose `correlation_id` comes back as it came. */
export function subscriptionNotification(
  type: SubscriptionEvent,
  correlationId: unknown,
  events: readonly object[],
): Uint8Array {
  const content = {
    event_type: type,
    correlation_id: correlationId,
    event_protocol_version: VERSION,
    // The mobile SDKs read this list and not a single `event`.
    events,
  }
  return notification(newId(), JSON.stringify(content))
}

/** Makes the id of a frame, as Twilio's servers do: `TM` and 32 hex digits. */
export function newId(): string {
  return `TM${crypto.randomUUID().replaceAll('-', '')}`
}

function notification(id: string, json: string): Uint8Array {
  const header = { method: 'notification', id, message_type: 'twilio.sync.event', notification_ctx_id: '' }
  return writeJsonFrame(header, json)
}
