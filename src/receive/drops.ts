import { drops } from '../base/diagnostics.ts'
import type { RivuletError } from '../errors/errors.ts'
import { errorOf, report } from '../errors/report.ts'
import type { DropReason } from '../state/ledger.ts'
import type { ResolvedOptions } from '../state/options.ts'
import type { ReceivePart } from '../state/receive-part.ts'
import type { StreamState } from '../state/stream-state.ts'

/** The error for each option of this process that keeps a message of another process out. */
const BY_OPTION = {
  rateLimited: ['RATE_LIMITED', 'limit', ({ limit }: ResolvedOptions) => JSON.stringify(limit)],
  tooLarge: ['PAYLOAD_TOO_LARGE', 'maxBytes', ({ maxBytes }: ResolvedOptions) => String(maxBytes)],
  schema: ['SCHEMA_MISMATCH', 'schema', () => 'a schema that refuses it'],
} as const

/** Counts a received message that is not delivered, and notifies the listeners, gathered for a tick. */
export function drop(state: StreamState & ReceivePart, reason: DropReason): void {
  state.counters.drop(reason)
  if (drops.hasSubscribers) drops.publish({ hub: state.hub.name, stream: state.name, reason, count: 1 })
  const { events } = state
  if (!events?.has('dropped')) return
  const gathered = state.drops ?? new Map<DropReason, number>()
  gathered.set(reason, (gathered.get(reason) ?? 0) + 1)
  if (gathered === state.drops) return
  state.drops = gathered
  const emit = () => {
    state.drops = undefined
    for (const [reason, count] of gathered) events.emit('dropped', { reason, count })
  }
  queueMicrotask(() => state.hub.turns.run(emit))
}

/**
 * Drops a message that an option of this process may keep out; the first one of a stream is reported as an error.
 * `publishers` is the number of known publishers: together they may exceed a limit that each of them keeps.
 */
export function dropByOption(state: StreamState & ReceivePart, reason: DropReason, publishers: number): void {
  drop(state, reason)
  // Without a limit the queue of a running fan-out was full.
  if (reason === 'rateLimited' && state.options.limit === false) return
  if (state.hasReportedDrop || !(reason in BY_OPTION)) return
  const [code, option, shown] = BY_OPTION[reason as keyof typeof BY_OPTION]
  const why = `this process opened the stream with ${option} ${shown(state.options)}`
  const isShared = reason === 'rateLimited' && publishers > 1
  const advice = isShared ? sharingAdvice(publishers) : `give it the publisher's ${option}`
  const message = `A message of another process was dropped: ${why}; ${advice}. The ledger counts the next ones.`
  reportOnce(state, errorOf(state, code, message))
}

/** Drops a message of a newer format than this edition reads; the first one of a stream is reported as an error. */
export function dropNewer(state: StreamState & ReceivePart): void {
  drop(state, 'newerFormat')
  if (state.hasReportedNewerFormat) return
  state.hasReportedNewerFormat = true
  const message =
    'Unreadable: newer format. Another process publishes with a later edition of Rivulet; update this one. The ledger counts such messages as dropped.newerFormat.'
  report(state, errorOf(state, 'NEWER_FORMAT', message))
}

function sharingAdvice(publishers: number): string {
  return `${publishers} publishers share it: give each process limit.publishers ${publishers} or more, a higher limit, or scope 'process'`
}

/** Reports the first error about an option that keeps messages of other processes out. */
export function reportOnce(state: StreamState & ReceivePart, error: RivuletError): void {
  if (state.hasReportedDrop) return
  state.hasReportedDrop = true
  report(state, error)
}

/** Reports no error for a stream whose options keep a message out, or that receives a newer format. */
export function reportNoDrops(state: StreamState & ReceivePart): void {
  state.hasReportedDrop = true
  state.hasReportedNewerFormat = true
}
