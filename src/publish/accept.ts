import { publishing, refusals } from '../base/diagnostics.ts'
import { deliver } from '../deliver/delivery.ts'
import { Message, traceparentIn } from '../model/message.ts'
import type { Refusal } from '../model/refusal.ts'
import { closedRefusal, originOf, type StreamState } from '../model/stream-state.ts'

/** The event of an attempt to publish. */
interface PublishEvent {
  readonly hub: string
  readonly stream: string
  readonly data?: unknown
  /** May be set by a subscriber of `start`. */
  traceparent?: unknown
  /** Set once the message was accepted. */
  message?: Message
  /** Set once it was refused. */
  error?: unknown
}

/**
 * Numbers a message for which room was taken, delivers it, and returns it. `wire` is the snapshot that is sent. Refused
 * only when whoever traces has ended the stream.
 */
export function accept(state: StreamState, wire: object, data: unknown, nowMs: number): Message | Refusal {
  if (publishing.hasSubscribers) return acceptTraced(state, wire, data, nowMs)
  return admit(state, wire, data, nowMs, undefined)
}

function acceptTraced(state: StreamState, wire: object, data: unknown, nowMs: number): Message | Refusal {
  const event = begin(state, data)
  if (state.isClosed) return refuse(state, closedRefusal(state), event)
  try {
    event.message = admit(state, wire, data, nowMs, traceparentIn(event.traceparent))
    return event.message
  } finally {
    publishing.end.publish(event)
  }
}

function admit(
  state: StreamState,
  wire: object,
  data: unknown,
  nowMs: number,
  traceparent: string | undefined,
): Message {
  state.hub.outboxes?.begin(state, nowMs)
  const message = new Message(data, true, originOf(state), ++state.sequence, traceparent)
  state.counters.accept(state.hub.outboxes === undefined)
  // Subscribers see local messages too, so these leave less room for those of other processes.
  state.receiving?.fill(nowMs)
  deliver(state, message, wire, nowMs)
  return message
}

/** Counts a refusal, tells the stream's listeners, and returns it. `begun`: the event of an attempt that is traced. */
export function refuse(state: StreamState, refusal: Refusal, begun?: PublishEvent): Refusal {
  const { name, hub } = state
  const { code } = refusal
  state.counters.refuse(code)
  if (refusals.hasSubscribers) refusals.publish({ hub: hub.name, stream: name, code })
  if (publishing.hasSubscribers) {
    const event = begun ?? begin(state, undefined)
    event.error = refusal.error
    publishing.error.publish(event)
    publishing.end.publish(event)
  }
  if (state.events?.has('refused')) state.events.emit('refused', refusal)
  return refusal
}

/** Tells that an attempt starts. */
function begin({ hub, name }: StreamState, data: unknown): PublishEvent {
  // All members at once: those that are added later cost memory of their own.
  const event: PublishEvent = {
    hub: hub.name,
    stream: name,
    data,
    traceparent: undefined,
    message: undefined,
    error: undefined,
  }
  publishing.start.publish(event)
  return event
}
