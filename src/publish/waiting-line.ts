import { after } from '../base/timer.ts'
import type { LeakyBucket } from '../model/leaky-bucket.ts'
import { closedRefusal, type Line, type StreamState, type Waiter } from '../model/stream-state.ts'
import { accept, refuse } from './accept.ts'

/** Counts who stands in line. */
export function lineSize({ line }: StreamState): number {
  return line === undefined ? 0 : line.waiters.size
}

/** Returns the line, made when it is first needed: most streams never wait. */
export function lineOf(state: StreamState): Line {
  state.line ??= { waiters: new Set(), kept: new Map(), cancelTimer: undefined }
  return state.line
}

/** Puts a waiter at the end of the line. */
export function joinLine(state: StreamState, waiter: Waiter, nowMs: number): void {
  const line = lineOf(state)
  line.waiters.add(waiter)
  state.counters.add('attempts', 1)
  state.counters.add('waiting', 1)
  if (line.cancelTimer === undefined) startTimer(state, nowMs)
}

/** Takes a waiter out of the line; how it ended is counted by the caller. */
export function leaveLine(state: StreamState, waiter: Waiter): void {
  const line = lineOf(state)
  if (!line.waiters.delete(waiter)) return
  state.counters.add('attempts', -1)
  state.counters.add('waiting', -1)
  if (line.waiters.size === 0) stopTimer(line)
  waiter.leave()
}

/** Refuses everybody who stands in line: the stream has ended. */
export function closeLine(state: StreamState): void {
  for (const waiter of state.line?.waiters ?? []) {
    leaveLine(state, waiter)
    waiter.context.runInAsyncScope(refuseWaiter, undefined, state, waiter)
  }
}

/**
 * Publishes what there is room for. Subscribers may take long, so the clock is read for each. A waiter that joins
 * meanwhile waits for the next timer: a subscriber that is slower than the rate, and queues the next message, would leave
 * no turn to anything else.
 */
function advance(state: StreamState): void {
  const line = lineOf(state)
  line.cancelTimer = undefined
  let left = line.waiters.size
  for (const waiter of line.waiters) {
    if (left-- === 0) break
    const nowMs = state.hub.clock.nowMs()
    if (state.isClosed) return // by a clock of the user's, which refused everybody
    if (!(state.bucket as LeakyBucket).take(nowMs)) break
    leaveLine(state, waiter)
    waiter.context.runInAsyncScope(acceptWaiter, undefined, state, waiter, nowMs)
  }
  if (line.waiters.size > 0 && line.cancelTimer === undefined) startTimer(state, state.hub.clock.nowMs())
}

function acceptWaiter(state: StreamState, waiter: Waiter, nowMs: number): void {
  waiter.settle(accept(state, waiter.wire, waiter.data, nowMs))
}

function refuseWaiter(state: StreamState, waiter: Waiter): void {
  waiter.settle(refuse(state, closedRefusal(state)))
}

function startTimer(state: StreamState, nowMs: number): void {
  const waitMs = (state.bucket as LeakyBucket).retryAfterMs(nowMs)
  lineOf(state).cancelTimer = after(state.hub.environment, waitMs, () => advance(state), true)
}

function stopTimer(line: Line): void {
  line.cancelTimer?.()
  line.cancelTimer = undefined
}
