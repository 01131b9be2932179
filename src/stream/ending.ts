import { whenIdle } from '../deliver/delivery.ts'
import { removeAllListeners } from '../deliver/fan-out.ts'
import { listenerFailed } from '../model/report.ts'
import { closedRefusal, type StreamEvents, type StreamState } from '../model/stream-state.ts'
import { closeLine } from '../publish/waiting-line.ts'

/**
 * Ends a stream: nobody is called any more, and what was accepted before still goes out. `removal` is why, unless it
 * was closed.
 */
export function endStream(state: StreamState, removal?: StreamEvents['removed']): void {
  if (state.isClosed) return
  state.isClosed = true
  const { hub } = state
  state.cancelExpiry?.()
  const subscribers = removeAllListeners(state)
  hub.inboxes?.listen(state, false)
  // Before any user code runs, so that this may open the next stream of the name.
  hub.ended(state)
  if (removal?.reason === 'removed' && removal.isLocal) whenIdle(state, () => hub.outboxes?.addRemoval(state))
  if (removal !== undefined) hub.removed(state, removal)
  closeLine(state)
  for (const subscriber of subscribers) {
    try {
      subscriber.ended(() => closedRefusal(state).error)
    } catch (error) {
      listenerFailed(state, error, false) // a teardown of RxJS
    }
  }
  if (removal !== undefined) state.events?.emit('removed', removal)
  state.events?.clear()
}
