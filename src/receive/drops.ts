import { drops } from '../base/diagnostics.ts'
import type { RivuletError } from '../model/errors.ts'
import type { DropReason } from '../model/ledger.ts'
import type { ResolvedOptions } from '../model/options.ts'
import { errorOf, report } from '../model/report.ts'
import type { StreamState } from '../model/stream-state.ts'

/** What to say when an option of this process keeps a message of another process out. */
const BY_OPTION = {
  rateLimited: ['RATE_LIMITED', 'limit', ({ limit }: ResolvedOptions) => JSON.stringify(limit)],
  tooLarge: ['PAYLOAD_TOO_LARGE', 'maxBytes', ({ maxBytes }: ResolvedOptions) => String(maxBytes)],
  schema: ['SCHEMA_MISMATCH', 'schema', () => 'a schema that refuses it'],
} as const

/** Counts a received message that is not delivered, and tells who listens, gathered for a tick. */
export function drop(state: StreamState, reason: DropReason): void {
  state.counters.drop(reason)
  if (drops.hasSubscribers) drops.publish({ hub: state.hub.name, stream: state.name, reason, count: 1 })
  const { events } = state
  if (!events?.has('dropped')) return
  const gathered = state.drops ?? new Map<DropReason, number>()
  gathered.set(reason, (gathered.get(reason) ?? 0) + 1)
  if (gathered === state.drops) return
  state.drops = gathered
  const tell = () => {
    state.drops = undefined
    for (const [reason, count] of gathered) events.emit('dropped', { reason, count })
  }
  queueMicrotask(() => state.hub.turns.run(tell))
}

/**
 * Drops what an option of this process may keep out; the first one of a stream is told as an error. `publishers` is how
 * many are known of the stream: together they may exceed a limit that each of them keeps.
 */
export function dropByOption(state: StreamState, reason: DropReason, publishers: number): void {
  drop(state, reason)
  // Without a limit it is the queue of a running fan-out that was full.
  if (reason === 'rateLimited' && state.options.limit === false) return
  if (state.hasToldDrop || !(reason in BY_OPTION)) return
  const [code, option, shown] = BY_OPTION[reason as keyof typeof BY_OPTION]
  const why = `this process opened the stream with ${option} ${shown(state.options)}`
  const isShared = reason === 'rateLimited' && publishers > 1
  const advice = isShared ? sharingAdvice(publishers) : `give it the publisher's ${option}`
  const message = `A message of another process was dropped: ${why}; ${advice}. The ledger counts the next ones.`
  reportOnce(state, errorOf(state, code, message))
}

function sharingAdvice(publishers: number): string {
  return `${publishers} publishers were heard, which share it: give each process limit.publishers ${publishers} or more, a higher limit, or scope 'process'`
}

/** Tells the first of the errors that keep messages of other processes out. */
export function reportOnce(state: StreamState, error: RivuletError): void {
  if (state.hasToldDrop) return
  state.hasToldDrop = true
  report(state, error)
}
