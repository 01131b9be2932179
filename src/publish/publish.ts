import { captureContext } from '../base/async-context.ts'
import type { Message } from '../model/message.ts'
import { checkSignalOption, type SignalOption } from '../model/options.ts'
import { Refusal } from '../model/refusal.ts'
import { validate } from '../model/schema.ts'
import { snapshot } from '../model/snapshot.ts'
import { closedRefusal, isQueueFull, type StreamState, type Waiter } from '../model/stream-state.ts'
import { accept, refuse } from './accept.ts'
import { joinLine, leaveLine, lineOf, lineSize } from './waiting-line.ts'

/** How much may be published now. */
export interface Budget {
  /** Messages that would be accepted at once; `Infinity` without a limit. */
  readonly available: number
  /** Whole milliseconds until one more is accepted; 0 when one is now. */
  readonly retryAfterMs: number
}

/**
 * Publishes now, or refuses. Checks in this order: open; room (only looked at); snapshot and size; schema; open and
 * room again, since reading the data and the schema run user code. Then it takes the room. So a flood that is
 * refused costs almost nothing, and what is refused for another reason takes no room.
 */
export function publish(state: StreamState, data: unknown): Message | Refusal {
  const nowMs = state.hub.clock.nowMs()
  const checked = check(state, data, nowMs, whyNotNow)
  if (checked instanceof Refusal) return refuse(state, checked)
  state.bucket?.take(nowMs)
  return accept(state, checked.wire, checked.data, nowMs)
}

/** Publishes when there is room. Rejects with the refusal's error, or with the reason of the signal. */
export async function publishWhenReady(
  state: StreamState,
  data: unknown,
  options: SignalOption | undefined,
): Promise<Message> {
  const signal = checkSignalOption('publishWhenReady', options)
  if (signal?.aborted) throw abortedBy(state, signal)
  const nowMs = state.hub.clock.nowMs()
  const checked = check(state, data, nowMs, whyNoPlace)
  if (checked instanceof Refusal) throw refuse(state, checked).error
  if (signal?.aborted) throw abortedBy(state, signal) // by what reading the data ran
  return new Promise<Message>((resolve, reject) => {
    const settle = (outcome: Message | Refusal) =>
      outcome instanceof Refusal ? reject(outcome.error) : resolve(outcome)
    if (takeRoom(state, nowMs)) return settle(accept(state, checked.wire, checked.data, nowMs))
    const context = captureContext()
    const waiter: Waiter = { ...checked, context, leave: () => cancelAbort?.(), settle }
    const abort = (reason: AbortSignal) => {
      leaveLine(state, waiter)
      reject(abortedBy(state, reason))
    }
    const cancelAbort = signal && state.hub.signals.add(signal, () => abort(signal))
    joinLine(state, waiter, nowMs)
  })
}

/** Publishes now, or keeps the newest value per key until there is room and returns `undefined`. */
export function publishLatest(
  state: StreamState,
  data: unknown,
  key: unknown,
): Message | Refusal | undefined {
  const nowMs = state.hub.clock.nowMs()
  const isKept = state.line?.kept.has(key) === true
  const checked = check(state, data, nowMs, isKept ? whyClosed : whyNoPlace)
  if (checked instanceof Refusal) return refuse(state, checked)
  const kept = state.line?.kept.get(key)
  if (kept !== undefined) {
    Object.assign(kept, checked, { context: captureContext() })
    state.counters.add('attempts', 1)
    state.counters.add('conflated', 1)
    return undefined
  }
  if (takeRoom(state, nowMs)) return accept(state, checked.wire, checked.data, nowMs)
  const line = lineOf(state)
  const context = captureContext()
  const waiter: Waiter = { ...checked, context, leave: () => line.kept.delete(key), settle: () => {} }
  line.kept.set(key, waiter)
  joinLine(state, waiter, nowMs)
  return undefined
}

/** Tells how much may be published now. */
export function budgetOf(state: StreamState): Budget {
  const { bucket } = state
  if (bucket === undefined) return { available: Infinity, retryAfterMs: 0 }
  const nowMs = state.hub.clock.nowMs()
  const waiting = lineSize(state)
  const available = waiting === 0 ? bucket.available(nowMs) : 0
  return { available, retryAfterMs: bucket.retryAfterMs(nowMs, waiting + 1) }
}

/** Looks whether a message may be published now, and takes nothing. While somebody stands in line it may not. */
function whyNotNow(state: StreamState, nowMs: number): Refusal | undefined {
  if (state.isClosed) return closedRefusal(state)
  if (isQueueFull(state)) return lineFull(state)
  const { bucket } = state
  if (bucket === undefined || (bucket.hasRoom(nowMs) && lineSize(state) === 0)) return undefined
  const retryAfterMs = bucket.retryAfterMs(nowMs, lineSize(state) + 1)
  return new Refusal('RATE_LIMITED', state, { retryAfterMs })
}

/**
 * Checks the data; `why` tells whether it may be published at all, before and after, since reading the data and the
 * schema run user code.
 */
function check(
  state: StreamState,
  data: unknown,
  nowMs: number,
  why: (state: StreamState, nowMs: number) => Refusal | undefined,
): { wire: object; data: unknown } | Refusal {
  const refusal = why(state, nowMs)
  if (refusal !== undefined) return refusal
  const { schema, maxBytes } = state.options
  try {
    const wire = snapshot(data, maxBytes, state)
    const checked = { wire, data: schema === undefined ? wire : validate(schema, wire, state) }
    return why(state, nowMs) ?? checked
  } catch (thrown) {
    if (thrown instanceof Refusal) return thrown
    throw thrown // the stack is exhausted
  }
}

/** A value that replaces a kept one needs no place in the line. */
function whyClosed(state: StreamState): Refusal | undefined {
  return state.isClosed ? closedRefusal(state) : undefined
}

/** Looks whether there is room for a message, or a place in the line. */
function whyNoPlace(state: StreamState, nowMs: number): Refusal | undefined {
  if (state.isClosed) return closedRefusal(state)
  if (isQueueFull(state)) return lineFull(state)
  const size = lineSize(state)
  const isRoom = size === 0 && (state.bucket === undefined || state.bucket.hasRoom(nowMs))
  return isRoom || size < state.options.maxWaiting ? undefined : lineFull(state)
}

function takeRoom(state: StreamState, nowMs: number): boolean {
  return state.bucket === undefined || (lineSize(state) === 0 && state.bucket.take(nowMs))
}

function lineFull(state: StreamState): Refusal {
  return new Refusal('WAITING_LINE_FULL', state, { maxWaiting: state.options.maxWaiting })
}

function abortedBy(state: StreamState, signal: AbortSignal): unknown {
  state.counters.refuse('ABORTED')
  return signal.reason
}
