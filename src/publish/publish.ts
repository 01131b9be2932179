import type { Message } from '../model/message.ts'
import { checkSignalOption, type SignalOption } from '../model/options.ts'
import { Refusal } from '../model/refusal.ts'
import { validate } from '../model/schema.ts'
import { snapshot } from '../model/snapshot.ts'
import {
  closedRefusal,
  isQueueFull,
  type StreamState,
  signalsOf,
  type Waiter,
} from '../model/stream-state.ts'
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
  const refusal = whyNotNow(state, nowMs)
  if (refusal !== undefined) return refuse(state, refusal)
  const { schema, maxBytes } = state.options
  let wire: object
  let output: unknown
  try {
    wire = snapshot(data, maxBytes, state)
    output = schema === undefined ? wire : validate(schema, wire, state)
  } catch (thrown) {
    return refuse(state, asRefusal(thrown))
  }
  const isAdmitted = !state.isClosed && !isQueueFull(state) && takeRoom(state, nowMs)
  if (!isAdmitted) return refuse(state, whyNotNow(state, nowMs) as Refusal)
  return accept(state, wire, output, nowMs)
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
  const checked = check(state, data, false, nowMs)
  if (checked instanceof Refusal) throw refuse(state, checked).error
  if (signal?.aborted) throw abortedBy(state, signal) // by what reading the data ran
  if (takeRoom(state, nowMs)) return accept(state, checked.wire, checked.data, nowMs)
  return new Promise<Message>((resolve, reject) => {
    const settle = (outcome: Message | Refusal) =>
      outcome instanceof Refusal ? reject(outcome.error) : resolve(outcome)
    const waiter: Waiter = { ...checked, leave: () => cancelAbort?.(), settle }
    const abort = (reason: AbortSignal) => {
      leaveLine(state, waiter)
      reject(abortedBy(state, reason))
    }
    const cancelAbort = signal && signalsOf(state).add(signal, () => abort(signal))
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
  const checked = check(state, data, state.line?.kept.has(key) === true, nowMs)
  if (checked instanceof Refusal) return refuse(state, checked)
  const kept = state.line?.kept.get(key)
  if (kept !== undefined) {
    Object.assign(kept, checked)
    state.counters.add('attempts', 1)
    state.counters.add('conflated', 1)
    return undefined
  }
  if (takeRoom(state, nowMs)) return accept(state, checked.wire, checked.data, nowMs)
  const line = lineOf(state)
  const waiter: Waiter = { ...checked, leave: () => line.kept.delete(key), settle: () => {} }
  line.kept.set(key, waiter)
  joinLine(state, waiter, nowMs)
  return undefined
}

/** Tells how much may be published now. */
export function budgetOf(state: StreamState): Budget {
  const { bucket } = state
  if (bucket === undefined) return { available: Number.POSITIVE_INFINITY, retryAfterMs: 0 }
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

/** Checks everything but the limit. A value that replaces a kept one needs no place in the line. */
function check(
  state: StreamState,
  data: unknown,
  hasPlace: boolean,
  nowMs: number,
): { wire: object; data: unknown } | Refusal {
  const refusal = whyNoPlace(state, hasPlace, nowMs)
  if (refusal !== undefined) return refusal
  const { schema, maxBytes } = state.options
  try {
    const wire = snapshot(data, maxBytes, state)
    const checked = { wire, data: schema === undefined ? wire : validate(schema, wire, state) }
    return whyNoPlace(state, hasPlace, nowMs) ?? checked
  } catch (thrown) {
    return asRefusal(thrown)
  }
}

function whyNoPlace(state: StreamState, hasPlace: boolean, nowMs: number): Refusal | undefined {
  if (state.isClosed) return closedRefusal(state)
  if (hasPlace) return undefined
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

function asRefusal(thrown: unknown): Refusal {
  if (thrown instanceof Refusal) return thrown
  throw thrown // the stack is exhausted
}
