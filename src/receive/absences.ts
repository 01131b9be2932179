import type { Confirmations } from '../connection/confirmations.ts'
import type { StreamState } from '../state/stream-state.ts'

/** The most interruptions that are remembered. Numbers from before all of them are not compared any more. */
const MAX_REMEMBERED = 64

/**
 * Counts the joins of one topic, and the messages missed between two of them. An interruption ends a join that the
 * program wants: numbers before and after it can be compared. A program that leaves by itself misses nothing.
 */
export class Absences {
  /** The current join, or the next one while there is none. */
  join = 0
  /** The first join since which only interruptions ended a join. */
  #comparableFrom = 0
  /** The earliest ends of the joins since then, as dates. */
  #endsMs: number[] = []
  /** Whether the program wants the topic: the end of a join is an interruption. */
  #isWanted = true
  #isAway = false
  #joinedDateMs = -Infinity
  /** A time on the clock: silence before it is no reason to forget a publisher, since no message could arrive. */
  #silentSinceMs = -Infinity
  #gap: { missed: number; sinceMs: number } | undefined

  /** Called when the program leaves the topic. */
  left(): void {
    this.join++
    this.#comparableFrom = this.join
    this.#endsMs = []
    this.#isWanted = false
    this.#isAway = false
    this.#silentSinceMs = -Infinity
  }

  /** Called when the connection was lost, or the broker ended the join. */
  interrupted({ promptStartDateMs }: Confirmations): void {
    this.join++
    if (!this.#isWanted) return
    this.#isAway = true
    this.#silentSinceMs = Infinity
    // Messages from before a confirmed barrier have arrived; the exact time at which the link broke is unknown.
    if (this.#endsMs.push(Math.floor(Math.max(this.#joinedDateMs, promptStartDateMs))) <= MAX_REMEMBERED)
      return
    this.#endsMs.shift()
    this.#comparableFrom++
  }

  /** Called when a join is confirmed. Reports an interruption, if there was one: the program may have missed messages. */
  joined(state: StreamState): void {
    const { clock } = state.hub
    const nowMs = clock.nowMs()
    this.#joinedDateMs = nowMs + clock.dateOffsetMs(nowMs)
    this.#isWanted = true
    if (!this.#isAway) return
    this.#isAway = false
    this.#silentSinceMs = nowMs
    this.#emit(state, 0, this.#endsMs.at(-1) as number)
  }

  /** Returns whether publishers that were silent since then may be forgotten: the connection was up. */
  isSilence(sinceMs: number): boolean {
    return sinceMs >= this.#silentSinceMs
  }

  /** Returns whether numbers of an earlier join can be compared with those of the current one. */
  isComparable(join: number): boolean {
    return join >= this.#comparableFrom
  }

  /** Counts and reports numbers of a publisher that were missed since a comparable join ended. */
  missed(state: StreamState, count: number, join: number): void {
    state.counters.add('missedAway', count)
    this.#emit(state, count, this.#endsMs[join - this.#comparableFrom] as number)
  }

  /** Gathers reports for a tick: after a reconnect, messages of many publishers arrive at once. */
  #emit(state: StreamState, missed: number, sinceMs: number): void {
    if (!state.events?.has('gap')) return
    if (this.#gap !== undefined) {
      this.#gap.missed += missed
      this.#gap.sinceMs = Math.min(this.#gap.sinceMs, sinceMs)
      return
    }
    const gap = { missed, sinceMs }
    this.#gap = gap
    const emit = () => {
      this.#gap = undefined
      state.events?.emit('gap', gap)
    }
    queueMicrotask(() => state.hub.turns.run(emit))
  }
}
