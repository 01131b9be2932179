import { captureContext } from '../base/async-context.ts'
import { processing } from '../base/diagnostics.ts'
import { Fifo } from '../base/fifo.ts'
import { type Message, traceparentOf } from '../message/message.ts'
import type { DeliverPart } from '../state/deliver-part.ts'
import type { StreamState } from '../state/stream-state.ts'
import { closeUp, fanOut } from './fan-out.ts'

/**
 * Delivers a message to the subscribers, and then passes it to the outbox: `wire` is the snapshot to send, absent for a
 * received message; `nowMs` is the time at which it was accepted. Inside a running fan-out of the stream it is queued
 * until that ends, so that every subscriber sees one and the same order; it is delivered in the async context of this
 * call nevertheless.
 */
export function deliver(
  state: StreamState & DeliverPart,
  message: Message,
  wire: object | undefined,
  nowMs: number,
): void {
  if (state.isDelivering) {
    state.queue ??= new Fifo()
    state.queue.push({ message, wire, nowMs, context: captureContext() })
    state.queued++
    return
  }
  state.isDelivering = true
  try {
    deliverOne(state, message, wire, nowMs)
    if (state.queued > 0) deliverQueue(state)
  } finally {
    state.isDelivering = false
    if (state.listeners.length > state.counters.subscribers) closeUp(state)
    if (state.whenIdle !== undefined) runWhenIdle(state, state.whenIdle)
  }
}

/** Runs an action when the messages that were accepted before have been delivered. */
export function whenIdle(state: StreamState & DeliverPart, action: () => void): void {
  if (state.isDelivering) state.whenIdle = action
  else action()
}

/**
 * Returns whether too many messages are queued behind the running fan-out: messages that were queued and delivered in
 * it count, too, or two streams that echo each other would never end.
 */
export function isQueueFull(state: StreamState): boolean {
  return state.isDelivering && state.queued >= state.options.maxWaiting
}

function deliverQueue(state: StreamState & DeliverPart): void {
  try {
    for (let next = state.queue?.shift(); next !== undefined; next = state.queue?.shift()) {
      const { message, wire, nowMs, context } = next
      context.runInAsyncScope(deliverOne, undefined, state, message, wire, nowMs)
    }
  } finally {
    // Above 0 only when a subscriber exhausted the stack: the rest goes out after the next message.
    state.queued = state.queue?.size ?? 0
  }
}

function deliverOne(state: StreamState, message: Message, wire: object | undefined, nowMs: number): void {
  const { hub, events } = state
  if (processing.hasSubscribers && state.counters.subscribers > 0) fanOutTraced(state, message)
  else fanOut(state, message)
  if (wire !== undefined) hub.outboxes?.add(state, message, wire, nowMs)
  if (events?.has('messagePublished')) {
    events.emit('messagePublished', { message, isLocal: message.isLocal })
  }
}

function fanOutTraced(state: StreamState, message: Message): void {
  const event = { hub: state.hub.name, stream: state.name, message, traceparent: traceparentOf(message) }
  processing.start.publish(event)
  try {
    fanOut(state, message)
  } finally {
    processing.end.publish(event)
  }
}

function runWhenIdle(state: StreamState & DeliverPart, action: () => void): void {
  state.whenIdle = undefined
  action()
}
