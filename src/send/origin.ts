import type { SendPart } from '../state/send-part.ts'
import type { StreamState } from '../state/stream-state.ts'

/** Returns the origin of a stream's messages, drawn for the first one. */
export function originOf(state: StreamState & SendPart): string {
  state.origin ??= state.hub.origins.next()
  return state.origin
}

/** Numbers the next message of a stream, from 1. */
export function nextSequence(state: StreamState & SendPart): number {
  return ++state.sequence
}

/** Gives the next message of a stream a new origin. */
export function renewOrigin(state: StreamState & SendPart): void {
  state.origin = undefined
}
