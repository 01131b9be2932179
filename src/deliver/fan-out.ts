import { isThenable } from '../base/thenable.ts'
import { listenerFailed } from '../errors/report.ts'
import type { Message } from '../message/message.ts'
import type { DeliverPart, Listener, Subscriber } from '../state/deliver-part.ts'
import type { StreamState } from '../state/stream-state.ts'

// Below this many empty places tidying costs more than it saves.
const FEW_EMPTY = 32

/** Adds a listener: it is called from the next message on. Costs O(1) amortized. */
export function addListener(
  state: StreamState & DeliverPart,
  subscriber: Subscriber,
  listener: Listener,
): void {
  subscriber.index = state.listeners.length
  if (subscriber.index === 0) {
    // Most streams have one subscriber: an array that grows allocates 17 places.
    state.listeners = [listener]
    state.subscribers = [subscriber]
  } else {
    state.listeners.push(listener)
    state.subscribers.push(subscriber)
  }
  state.counters.add('subscribers', 1)
}

/**
 * Removes a listener: it is not called any more, not even later in a fan-out that is running. Costs O(1) amortized:
 * its place is filled with a listener that does nothing, and the places close up once most of them are empty.
 */
export function removeListener(state: StreamState, subscriber: Subscriber): void {
  state.listeners[subscriber.index] = noListener
  state.subscribers[subscriber.index] = undefined
  subscriber.index = -1
  state.counters.add('subscribers', -1)
  if (!state.isDelivering) closeUp(state)
}

/** Removes every listener, and returns their subscribers. */
export function removeAllListeners(state: StreamState): Subscriber[] {
  const removed = state.subscribers.filter((subscriber) => subscriber !== undefined)
  for (const subscriber of removed) removeListener(state, subscriber)
  return removed
}

/** Calls every listener of this moment, in the order in which they were added. If one throws, the others still run. */
export function fanOut(state: StreamState, message: Message): void {
  const { listeners } = state
  const count = listeners.length
  for (let index = 0; index < count; index++) {
    try {
      const listener = listeners[index] as Listener // called in its place, `this` would be the array
      const result = listener(message)
      if (result !== undefined) watch(state, result)
    } catch (error) {
      listenerFailed(state, error, false)
    }
  }
}

/** Closes the empty places up, once they are many. Not while a fan-out runs: its loop counts by the places. */
export function closeUp(state: StreamState): void {
  const { listeners, subscribers } = state
  const empty = listeners.length - state.counters.subscribers
  if ((empty < FEW_EMPTY && empty < listeners.length) || 2 * empty < listeners.length) return
  let size = 0
  for (const [index, subscriber] of subscribers.entries()) {
    if (subscriber === undefined) continue
    subscriber.index = size
    subscribers[size] = subscriber
    listeners[size] = listeners[index] as Listener
    size++
  }
  subscribers.length = size
  listeners.length = size
}

/** A promise that rejects counts like a throw. */
function watch(state: StreamState, result: unknown): void {
  if (isThenable(result)) result.then(undefined, (error) => listenerFailed(state, error, true))
}

function noListener(): void {}
