import { after } from '../base/timer.ts'
import type { LeakyBucket } from '../state/leaky-bucket.ts'
import type { PublishPart, PublishQueue, Waiter } from '../state/publish-part.ts'
import { closedRefusal, type HubPublishPart, type HubState, type StreamState } from '../state/stream-state.ts'
import { accept, refuse } from './accept.ts'

/** A queue releases the messages that were due in these last milliseconds, and no more: a timer may be late. */
const MOST_DUE_MS = 2

/** Counts the messages in the queue. */
export function queueSize({ publishQueue }: StreamState): number {
  return publishQueue === undefined ? 0 : publishQueue.waiters.size
}

/** Returns the queue, made when it is first needed: most streams never wait. */
export function queueOf(state: StreamState & PublishPart): PublishQueue {
  state.publishQueue ??= {
    waiters: new Set(),
    early: new Set(),
    kept: new Map(),
    sinceMs: -Infinity,
    cancelTimer: undefined,
    emptied: undefined,
  }
  return state.publishQueue
}

/** Counts the messages in the queue, and those that wait for the first connection. */
export function waitingSize({ publishQueue }: StreamState): number {
  return publishQueue === undefined ? 0 : publishQueue.waiters.size + publishQueue.early.size
}

/** Lets a waiter wait until the hub is up for the first time. */
export function joinEarly(state: StreamState, waiter: Waiter): void {
  queueOf(state).early.add(waiter)
  state.hub.starting?.add(state)
  state.counters.add('attempts', 1)
  state.counters.add('waiting', 1)
}

/** Called when the hub is up for the first time: messages that waited for that are published, or join the queue. */
export function publishEarly(hub: HubState & HubPublishPart): void {
  const states = hub.starting
  hub.starting = undefined
  for (const state of states ?? []) {
    const publishQueue = queueOf(state)
    for (const waiter of publishQueue.early) {
      const nowMs = hub.clock.nowMs()
      if (!publishQueue.early.has(waiter)) continue // the program's own clock closed the stream
      if (takeCapacity(state, nowMs)) {
        leaveQueue(state, waiter)
        waiter.context.runInAsyncScope(acceptWaiter, undefined, state, waiter, nowMs)
      } else {
        publishQueue.early.delete(waiter)
        publishQueue.waiters.add(waiter)
        if (publishQueue.cancelTimer === undefined) startTimer(state, nowMs)
      }
    }
  }
}

/** Takes capacity for a message, if there is enough and the queue is empty; returns whether it did. */
export function takeCapacity(state: StreamState, nowMs: number): boolean {
  const { bucket } = state
  return bucket === undefined || (queueSize(state) === 0 && takeDue(state, bucket, nowMs))
}

/**
 * Takes capacity that came since the timer of the queue was set, even if more came meanwhile than the bucket holds: a
 * timer takes a millisecond, in which a fast stream has capacity for many messages.
 */
function takeDue({ publishQueue }: StreamState, bucket: LeakyBucket, nowMs: number): boolean {
  const sinceMs = Math.min(publishQueue?.sinceMs ?? nowMs, nowMs)
  return bucket.takeDue(nowMs - sinceMs > MOST_DUE_MS ? nowMs : sinceMs, nowMs)
}

/** Puts a waiter at the end of the queue. */
export function joinQueue(state: StreamState, waiter: Waiter, nowMs: number): void {
  const publishQueue = queueOf(state)
  publishQueue.waiters.add(waiter)
  state.counters.add('attempts', 1)
  state.counters.add('waiting', 1)
  if (publishQueue.cancelTimer === undefined) startTimer(state, nowMs)
}

/** Takes a waiter out of the queue; the caller counts its outcome. */
export function leaveQueue(state: StreamState, waiter: Waiter): void {
  const publishQueue = queueOf(state)
  if (!publishQueue.waiters.delete(waiter) && !publishQueue.early.delete(waiter)) return
  state.counters.add('attempts', -1)
  state.counters.add('waiting', -1)
  if (publishQueue.waiters.size === 0) stopTimer(publishQueue)
  waiter.leave()
}

/**
 * Called when the stream has ended: refuses all messages in the queue, except kept values for which there is capacity in
 * time while the hub closes. Calls `emptied` when the queue is empty.
 */
export function closeQueue(state: StreamState, emptied: () => void): void {
  const { publishQueue, hub } = state
  const stays = hasLastCapacity(state) ? new Set(publishQueue?.kept.values()) : undefined
  hub.starting?.delete(state)
  refuseAll(state, stays)
  if (publishQueue === undefined || publishQueue.waiters.size === 0) return emptied()
  publishQueue.emptied = emptied
  hub.lastCapacity?.streams.add(state)
  endWithoutCapacity(state) // a listener of a refusal may have taken long, or the connection be lost
}

/** Returns whether the hub closes, and there is capacity for a kept value in the remaining time. */
export function hasLastCapacity({ publishQueue, hub, bucket }: StreamState): boolean {
  if (
    hub.lastCapacity === undefined ||
    bucket === undefined ||
    publishQueue === undefined ||
    publishQueue.kept.size === 0
  )
    return false
  const nowMs = hub.clock.nowMs()
  return nowMs + bucket.retryAfterMs(nowMs) <= hub.lastCapacity.untilMs
}

/** Ends the wait of kept values whose streams have ended: they are refused. */
export function endLastCapacity(hub: HubState & HubPublishPart): void {
  const { lastCapacity } = hub
  hub.lastCapacity = undefined
  for (const state of lastCapacity?.streams ?? []) endWithoutCapacity(state)
  lastCapacity?.done()
}

/** Ends the queue of a stream that has ended, once it is empty, or there will be no capacity in time. */
function endWithoutCapacity(state: StreamState): void {
  const { publishQueue } = state
  if (publishQueue?.emptied === undefined || hasLastCapacity(state)) return
  const { emptied } = publishQueue
  publishQueue.emptied = undefined
  refuseAll(state, undefined)
  emptied()
  const { lastCapacity } = state.hub
  if (lastCapacity?.streams.delete(state) && lastCapacity.streams.size === 0) lastCapacity.done()
}

function refuseAll(state: StreamState, stays: ReadonlySet<Waiter> | undefined): void {
  // Not copies: a listener of a refusal may abort others.
  for (const waiters of [state.publishQueue?.early, state.publishQueue?.waiters]) {
    for (const waiter of waiters ?? []) {
      if (stays?.has(waiter)) continue
      leaveQueue(state, waiter)
      waiter.context.runInAsyncScope(refuseWaiter, undefined, state, waiter)
    }
  }
}

/**
 * Publishes the messages for which there is capacity. Subscribers may take long, so the clock is read for each. A waiter
 * that joins meanwhile waits for the next timer: a subscriber that is slower than the rate, and queues the next message,
 * would otherwise block the event loop.
 */
function advance(state: StreamState): void {
  const publishQueue = queueOf(state)
  publishQueue.cancelTimer = undefined
  publishQueue.sinceMs = Math.max(publishQueue.sinceMs, state.hub.clock.nowMs() - MOST_DUE_MS)
  let left = publishQueue.waiters.size
  for (const waiter of publishQueue.waiters) {
    if (left-- === 0) break
    const nowMs = state.hub.clock.nowMs()
    if (!publishQueue.waiters.has(waiter)) continue // the program's own clock closed the stream
    if (!takeDue(state, state.bucket as LeakyBucket, nowMs)) break
    leaveQueue(state, waiter)
    waiter.context.runInAsyncScope(acceptWaiter, undefined, state, waiter, nowMs)
  }
  if (publishQueue.waiters.size > 0 && publishQueue.cancelTimer === undefined)
    startTimer(state, state.hub.clock.nowMs())
  endWithoutCapacity(state)
}

function acceptWaiter(state: StreamState, waiter: Waiter, nowMs: number): void {
  waiter.settle(accept(state, waiter.wire, waiter.data, nowMs))
}

function refuseWaiter(state: StreamState, waiter: Waiter): void {
  waiter.settle(refuse(state, closedRefusal(state)))
}

function startTimer(state: StreamState, nowMs: number): void {
  const waitMs = (state.bucket as LeakyBucket).retryAfterMs(nowMs)
  const publishQueue = queueOf(state)
  publishQueue.sinceMs = nowMs
  publishQueue.cancelTimer = after(state.hub.environment, waitMs, () => advance(state), true)
}

function stopTimer(publishQueue: PublishQueue): void {
  publishQueue.cancelTimer?.()
  publishQueue.cancelTimer = undefined
}
