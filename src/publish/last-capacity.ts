import { withDeadline } from '../base/deadline.ts'
import { deferred } from '../base/deferred.ts'
import type { HubPublishPart, HubState, StreamState } from '../state/stream-state.ts'
import { endLastCapacity } from './publish-queue.ts'

/**
 * Called when the hub closes: from now on a stream that ends still publishes the values that `publishLatest` kept, as far
 * as there is capacity within `mostMs`. Returns a function that waits for all of them, to be called once the streams have
 * ended.
 */
export function openLastCapacity(hub: HubState & HubPublishPart, mostMs: number): () => Promise<void> {
  const { promise, resolve } = deferred()
  const lastCapacity = { untilMs: hub.clock.nowMs() + mostMs, streams: new Set<StreamState>(), done: resolve }
  hub.lastCapacity = lastCapacity
  return async () => {
    if (lastCapacity.streams.size > 0) {
      // By a timer, too: the program's own clock may stop.
      await withDeadline(
        hub.environment,
        'The capacity of kept values',
        mostMs,
        undefined,
        () => promise,
      ).catch(() => {})
    }
    endLastCapacity(hub)
  }
}
