import { captureContext } from '../base/async-context.ts'
import { deferred } from '../base/deferred.ts'
import { isQueueFull } from '../deliver/delivery.ts'
import { RivuletError } from '../errors/errors.ts'
import { Refusal } from '../errors/refusal.ts'
import type { Message } from '../message/message.ts'
import { validate } from '../message/schema.ts'
import { snapshot } from '../message/snapshot.ts'
import type { LeakyBucket } from '../state/leaky-bucket.ts'
import { checkSignalOption, type SignalOption } from '../state/options.ts'
import type { Waiter } from '../state/publish-part.ts'
import type { Follow } from '../state/send-part.ts'
import { closedRefusal, type StreamState } from '../state/stream-state.ts'
import { accept, refuse } from './accept.ts'
import {
  joinEarly,
  joinQueue,
  leaveQueue,
  queueOf,
  queueSize,
  takeCapacity,
  waitingSize,
} from './publish-queue.ts'

/** The messages that may be published now. */
export interface Budget {
  /** Messages that would be accepted at once; `Infinity` without a limit. */
  readonly available: number
  /** Whole milliseconds until one more is accepted; 0 when one is now. */
  readonly retryAfterMs: number
}

/**
 * Publishes now, or refuses. Checks in this order: open; capacity (peek); snapshot and size; schema; open again, since
 * reading the data and the schema run user code; then it takes the capacity. So refusing a flood costs almost nothing,
 * and a message that is refused for another reason takes no capacity.
 */
export function publish(state: StreamState, data: unknown): Message | Refusal {
  const nowMs = state.hub.clock.nowMs()
  const checked = check(state, data, nowMs, whyNotNow, takeNow)
  if (checked instanceof Refusal) return refuse(state, checked)
  return accept(state, checked.wire, checked.data, nowMs)
}

/** Publishes when there is capacity, and the hub was up once. Rejects with the refusal's error, or the signal's reason. */
export async function publishWhenReady(
  state: StreamState,
  data: unknown,
  options: SignalOption | undefined,
): Promise<Message> {
  const signal = checkSignalOption('publishWhenReady', options)
  const { checked, nowMs } = checkUntilAborted(state, data, signal, whyNoTurn)
  return new Promise<Message>((resolve, reject) => {
    const settle = (outcome: Message | Refusal) =>
      outcome instanceof Refusal ? reject(outcome.error) : resolve(outcome)
    const isEarly = state.hub.starting !== undefined
    if (!isEarly && takeCapacity(state, nowMs))
      return settle(accept(state, checked.wire, checked.data, nowMs))
    const context = captureContext()
    const waiter: Waiter = { ...checked, context, leave: () => cancelAbort?.(), settle }
    const abort = (reason: AbortSignal) => {
      leaveQueue(state, waiter)
      state.idle?.used()
      reject(abortedBy(state, reason))
    }
    const cancelAbort = signal && state.hub.signals.add(signal, () => abort(signal))
    if (isEarly) joinEarly(state, waiter)
    else joinQueue(state, waiter, nowMs)
  })
}

/**
 * Publishes now, and waits until the broker has the message. Rejects with the refusal's error; with the reason of a
 * signal that aborts before the message is accepted; and with `LOST` or `UNCONFIRMED` afterwards.
 */
export async function publishConfirmed(
  state: StreamState,
  data: unknown,
  options: SignalOption | undefined,
): Promise<Message> {
  const signal = checkSignalOption('publishConfirmed', options)
  const { checked, nowMs } = checkUntilAborted(state, data, signal, whyNotNow)
  const { promise, resolve } = deferred<Confirmation>()
  const abort = () => resolve({ outcome: 'aborted', cause: signal?.reason })
  const cancelAbort = signal && state.hub.signals.add(signal, abort)
  try {
    state.bucket?.take(nowMs)
    const follow: Follow = (outcome, cause) => resolve({ outcome, cause })
    const message = accept(state, checked.wire, checked.data, nowMs, follow)
    if (message instanceof Refusal) throw message.error
    if (state.hub.outboxes === undefined) return message
    const confirmation = await promise
    if (confirmation.outcome === 'confirmed') return message
    throw unconfirmed(state, message, confirmation)
  } finally {
    cancelAbort?.()
  }
}

/** Publishes now, or keeps the newest value per key until there is capacity and returns `undefined`. */
export function publishLatest(
  state: StreamState,
  data: unknown,
  key: unknown,
): Message | Refusal | undefined {
  const nowMs = state.hub.clock.nowMs()
  const isKept = state.publishQueue?.kept.has(key) === true
  const checked = check(state, data, nowMs, isKept ? whyClosed : whyNoPlace)
  if (checked instanceof Refusal) return refuse(state, checked)
  const kept = state.publishQueue?.kept.get(key)
  if (kept !== undefined) {
    Object.assign(kept, checked, { context: captureContext() })
    state.counters.add('attempts', 1)
    state.counters.add('conflated', 1)
    return undefined
  }
  if (takeCapacity(state, nowMs)) return accept(state, checked.wire, checked.data, nowMs)
  const queue = queueOf(state)
  const context = captureContext()
  const waiter: Waiter = { ...checked, context, leave: () => queue.kept.delete(key), settle: () => {} }
  queue.kept.set(key, waiter)
  joinQueue(state, waiter, nowMs)
  return undefined
}

/** Returns the number of messages that may be published now, and the wait for the next. */
export function budgetOf(state: StreamState): Budget {
  const { bucket } = state
  if (bucket === undefined) return { available: Infinity, retryAfterMs: 0 }
  const nowMs = state.hub.clock.nowMs()
  const waiting = queueSize(state)
  const available = waiting === 0 ? bucket.available(nowMs) : 0
  return { available, retryAfterMs: bucket.retryAfterMs(nowMs, waiting + 1) }
}

type Check = (state: StreamState, nowMs: number) => Refusal | undefined

/** Peeks whether a message may be published now: not while others are queued. */
function whyNotNow(state: StreamState, nowMs: number): Refusal | undefined {
  if (state.isClosed) return closedRefusal(state)
  if (isQueueFull(state)) return queueFull(state)
  const { bucket } = state
  if (bucket === undefined || (queueSize(state) === 0 && bucket.hasCapacity(nowMs))) return undefined
  return rateLimited(state, bucket, nowMs)
}

/** Takes the capacity for a message; checks as `whyNotNow` does. */
function takeNow(state: StreamState, nowMs: number): Refusal | undefined {
  if (state.isClosed) return closedRefusal(state)
  if (isQueueFull(state)) return queueFull(state)
  const { bucket } = state
  if (bucket === undefined || (queueSize(state) === 0 && bucket.take(nowMs))) return undefined
  return rateLimited(state, bucket, nowMs)
}

function rateLimited(state: StreamState, bucket: LeakyBucket, nowMs: number): Refusal {
  const retryAfterMs = bucket.retryAfterMs(nowMs, queueSize(state) + 1)
  return new Refusal('RATE_LIMITED', state, { retryAfterMs })
}

/**
 * Checks the data. `before` and `after` check whether it may be published at all: twice, since reading the data and the
 * schema run user code.
 */
function check(
  state: StreamState,
  data: unknown,
  nowMs: number,
  before: Check,
  after: Check = before,
): { wire: object; data: unknown } | Refusal {
  const refusal = before(state, nowMs)
  if (refusal !== undefined) return refusal
  const { schema, maxBytes } = state.options
  try {
    const wire = snapshot(data, maxBytes, state)
    const checked = { wire, data: schema === undefined ? wire : validate(schema, wire, state) }
    return after(state, nowMs) ?? checked
  } catch (thrown) {
    if (thrown instanceof Refusal) return thrown
    throw thrown // the stack is exhausted
  }
}

/** Checks a message for a publish that a signal may abort. Throws the refusal's error, or the reason of the signal. */
function checkUntilAborted(state: StreamState, data: unknown, signal: AbortSignal | undefined, why: Check) {
  if (signal?.aborted) throw abortedBy(state, signal)
  const nowMs = state.hub.clock.nowMs()
  const checked = check(state, data, nowMs, why)
  if (checked instanceof Refusal) throw refuse(state, checked).error
  if (signal?.aborted) throw abortedBy(state, signal) // by user code that reading the data ran
  return { checked, nowMs }
}

/** Checks for a value that replaces a kept one: it needs no place in the queue. */
function whyClosed(state: StreamState): Refusal | undefined {
  return state.isClosed ? closedRefusal(state) : undefined
}

/** Peeks whether there is capacity for a message, or a place in the queue. */
function whyNoPlace(state: StreamState, nowMs: number): Refusal | undefined {
  if (state.isClosed) return closedRefusal(state)
  if (isQueueFull(state)) return queueFull(state)
  // First: a peek at the bucket takes unused capacity that is due from the messages of the queue.
  if (waitingSize(state) < state.options.maxWaiting) return undefined
  const hasCapacity =
    queueSize(state) === 0 && (state.bucket === undefined || state.bucket.hasCapacity(nowMs))
  return hasCapacity ? undefined : queueFull(state)
}

/** Peeks likewise for a message that waits until the hub is up for the first time: before that, capacity is not enough. */
function whyNoTurn(state: StreamState, nowMs: number): Refusal | undefined {
  const refusal = whyNoPlace(state, nowMs)
  if (refusal !== undefined || state.hub.starting === undefined) return refusal
  return waitingSize(state) < state.options.maxWaiting ? undefined : queueFull(state)
}

/** The outcome of a message that is followed; `aborted` when its publisher waits no longer. */
interface Confirmation {
  readonly outcome: Parameters<Follow>[0] | 'aborted'
  readonly cause: unknown
}

const LOSSES = {
  offline: 'the broker was away; publish again once hub.status is up',
  congested: 'more was on its way than maxInFlightBytes or a slow link allows; publish again later',
  failed:
    'the broker does not take a frame of that size, or the transport failed; the error event says which',
}

function unconfirmed(
  { name, hub }: StreamState,
  { sid }: Message,
  { outcome, cause }: Confirmation,
): RivuletError {
  const place = { sid, stream: name, hub: hub.name }
  if (outcome in LOSSES) {
    const reason = outcome as keyof typeof LOSSES
    const message = `The message did not reach the broker (${reason}): ${LOSSES[reason]}.`
    return new RivuletError('LOST', message, { ...place, reason })
  }
  const isAborted = outcome === 'aborted'
  const what = isAborted
    ? 'The wait for the confirmation was aborted'
    : 'The broker did not confirm the message'
  const reason = isAborted ? { reason: 'aborted' } : {}
  return new RivuletError('UNCONFIRMED', `${what}; it may have arrived.`, { ...place, ...reason, cause })
}

function queueFull(state: StreamState): Refusal {
  return new Refusal('QUEUE_FULL', state, { maxWaiting: state.options.maxWaiting })
}

function abortedBy(state: StreamState, signal: AbortSignal): unknown {
  state.counters.refuse('ABORTED')
  return signal.reason
}
