import { whenIdle } from '../deliver/delivery.ts'
import { removeAllListeners } from '../deliver/fan-out.ts'
import { listenerFailed } from '../errors/report.ts'
import { closeQueue, hasLastCapacity } from '../publish/publish-queue.ts'
import type { Subscriber } from '../state/deliver-part.ts'
import type { LifetimePart } from '../state/lifetime-part.ts'
import type { CloseReason, StreamEvents } from '../state/stream-events.ts'
import { closedRefusal, type StreamState } from '../state/stream-state.ts'

/**
 * Ends a stream: no listener is called any more, and messages that were accepted before still go out. `isLocal` is
 * false when another process has removed it. While its hub closes, values that `publishLatest` kept are published
 * first, as far as capacity comes in time; its subscribers leave after that.
 */
export function endStream(state: StreamState & LifetimePart, reason: CloseReason, isLocal = true): void {
  if (state.isClosed) return
  state.isClosed = true
  const { hub } = state
  state.cancelExpiry?.()
  state.idle?.stop()
  const subscribers = hasLastCapacity(state) ? [] : removeAllListeners(state)
  hub.inboxes?.listen(state, false)
  // Before any user code runs, which may open the next stream of the name.
  hub.ended(state)
  const removal = removalOf(reason, isLocal)
  if (reason === 'removed' && isLocal) whenIdle(state, () => hub.outboxes?.addRemoval(state))
  if (removal !== undefined) hub.removed(state, removal)
  closeQueue(state, () => {
    dismiss(state, subscribers.concat(removeAllListeners(state)))
    const { events } = state
    if (removal !== undefined) events?.emitOnce('removed', removal)
    events?.emitOnce('closed', { reason, isLocal })
    events?.clear()
  })
}

/** Notifies the subscribers that the stream has ended. */
function dismiss(state: StreamState, subscribers: readonly Subscriber[]): void {
  for (const subscriber of subscribers) {
    try {
      subscriber.ended(() => closedRefusal(state).error)
    } catch (error) {
      listenerFailed(state, error, false) // a teardown of RxJS
    }
  }
}

function removalOf(reason: CloseReason, isLocal: boolean): StreamEvents['removed'] | undefined {
  return reason === 'removed' || reason === 'expired' ? { reason, isLocal } : undefined
}
