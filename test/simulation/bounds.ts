import { getEventListeners } from 'node:events'
import { Stream } from 'rivulet'
import type { Life } from './life.ts'
import type { StreamLife } from './stream-life.ts'

const USUAL_MOST_WAITING = 1_000
/** Places of subscribers that have left, which a stream may keep beside one for each that is there. */
const MOST_EMPTY_PLACES = 32
/** Beside the first barrier that is not answered one runs for so many bytes at the most. */
const LEAST_CHUNK_BYTES = 8 * 1024

/** Checks that a hub holds no more in memory than is needed, once everything that it did in a step has ended. */
export function checkBounds(life: Life): void {
  for (const of of life.streams.values()) checkStream(of)
  const { link, endedSignals } = life
  const isUnread = (topic: string) => !life.isRead(topic)
  life.check(!link.asked.some(isUnread), 'only what is read is joined', () =>
    link.asked.filter(isUnread).join(),
  )
  const isSpaced = (link.openBarriers - 1) * LEAST_CHUNK_BYTES <= link.inFlightBytes
  life.check(isSpaced, 'one barrier for so many bytes', () => `${link.openBarriers} run`)
  for (const signal of endedSignals) {
    const { length } = getEventListeners(signal, 'abort')
    life.check(length === 0, 'no listener is left on a signal', () => `${length} are`)
  }
  endedSignals.length = 0
}

function checkStream({ life, name, stream, options }: StreamLife): void {
  const state = Stream.stateOf(stream as Stream)
  if (state === undefined) return
  const { publishQueue, queue, outbox, listeners, drops, counters } = state
  const queued = (publishQueue?.waiters.size ?? 0) + (publishQueue?.early.size ?? 0)
  const isQueueBounded = queued <= (options.maxWaiting ?? USUAL_MOST_WAITING) && queued === counters.waiting
  life.check(isQueueBounded, 'the publish queue is bounded', () => `${queued} wait on ${name}`)
  const kept = publishQueue?.kept.size ?? 0
  life.check(kept <= queued, 'only waiting values are kept', () => `${kept} of ${queued} on ${name}`)
  const left = (queue?.size ?? 0) + (outbox?.waiting.length ?? 0) + (drops?.size ?? 0)
  life.check(left === 0, 'a tick leaves nothing undone', () => `${left} on ${name}`)
  const places = listeners.length
  const isCompact = places <= 2 * counters.subscribers + MOST_EMPTY_PLACES
  life.check(
    isCompact,
    'places of leavers close up',
    () => `${places} for ${counters.subscribers} on ${name}`,
  )
}
