import { deliver } from '../deliver/delivery.ts'
import { Message } from '../model/message.ts'
import type { Refusal } from '../model/refusal.ts'
import { originOf, type StreamState } from '../model/stream-state.ts'

/** Numbers a message for which room was taken, delivers it, and returns it. `wire` is the snapshot that is sent. */
export function accept(state: StreamState, wire: object, data: unknown, nowMs: number): Message {
  const message = new Message(data, true, originOf(state), ++state.sequence)
  const { counters, hub } = state
  counters.attempts++
  counters.accepted++
  if (hub.send === undefined) counters.local++
  else counters.inFlight++
  // Subscribers see local messages too, so these leave less room for those of other processes.
  state.receiving?.fill(nowMs)
  deliver(state, message, wire, nowMs)
  return message
}

/** Counts a refusal, tells the stream's listeners, and returns it. */
export function refuse(state: StreamState, refusal: Refusal): Refusal {
  state.counters.refuse(refusal.code)
  if (state.events?.has('refused')) state.events.emit('refused', refusal)
  return refusal
}
