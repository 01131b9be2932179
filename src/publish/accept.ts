import { publishing, refusals } from '../base/diagnostics.ts'
import { deliver } from '../deliver/delivery.ts'
import type { Refusal } from '../errors/refusal.ts'
import { Message, traceparentIn } from '../message/message.ts'
import { nextSequence, originOf } from '../send/origin.ts'
import type { Follow } from '../state/send-part.ts'
import { closedRefusal, type StreamState } from '../state/stream-state.ts'

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
 * Numbers a message for which capacity was taken, delivers it, and returns it. `wire` is the snapshot that is sent;
 * `follow` is called when the broker has the message, or will not get it. Refuses only when a tracer has ended the
 * stream.
 */
export function accept(
  state: StreamState,
  wire: object,
  data: unknown,
  nowMs: number,
  follow?: Follow,
): Message | Refusal {
  if (publishing.hasSubscribers) return acceptTraced(state, wire, data, nowMs, follow)
  return admit(state, wire, data, nowMs, undefined, follow)
}

function acceptTraced(
  state: StreamState,
  wire: object,
  data: unknown,
  nowMs: number,
  follow: Follow | undefined,
): Message | Refusal {
  const isLast = state.isClosed // a kept value, while the hub closes
  const event = begin(state, data)
  if (state.isClosed && !isLast) return refuse(state, closedRefusal(state), event)
  try {
    event.message = admit(state, wire, data, nowMs, traceparentIn(event.traceparent), follow)
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
  follow: Follow | undefined,
): Message {
  state.hub.outboxes?.begin(state, nowMs)
  const message = new Message(data, true, originOf(state), nextSequence(state), traceparent)
  const { counters, hub } = state
  if (follow !== undefined) hub.outboxes?.follow(message, follow)
  counters.accept(hub.outboxes === undefined)
  // Subscribers receive local messages too, so these leave less capacity for messages of other processes.
  state.receiving?.fill(nowMs)
  state.idle?.used(nowMs)
  deliver(state, message, wire, nowMs)
  return message
}

/** Counts a refusal, notifies the stream's listeners, and returns it. `begun`: the event of an attempt that is traced. */
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

/** Publishes to diagnostics that an attempt starts. */
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
