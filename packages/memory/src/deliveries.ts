import type { Topic } from 'rivulet'
import type { ResolvedOptions } from './bus-options.ts'
import {
  type Client,
  type Connection,
  type Counted,
  Counter,
  callHost,
  type Delivery,
  type Subscription,
} from './client.ts'
import { drawCopies } from './faults.ts'

/** The longest delay for the sake of reordering. */
const MAX_REORDER_MS = 20
/** The due time of a delivery without delay: before every delayed one, at any time of the clock. */
const AT_ONCE = -Infinity
const NEVER = Infinity
// Two hubs that answer each other without end would keep the event loop in microtasks and starve timers, sockets and
// input. So after this many rounds in a row, a few milliseconds, the next round waits for a timer of 0 ms.
const MAX_ROUNDS = 1000
// Rounds are in a row while the next frame is sent within this many turns of the microtask queue; a hub needs fewer to
// answer. An idle time resets the count without a timer: otherwise a bus under fake timers would stop at the limit.
const IDLE_TURNS = 16

/**
 * Delivers frames to their receivers with the faults of the options, and counts the outcome of each. Deliveries without
 * delay arrive in the next microtask, those of one tick in one round; delayed ones when they are due, by one timer.
 * While no frame is in flight nothing is scheduled.
 */
export class Deliveries {
  readonly counter = new Counter()
  readonly #options: ResolvedOptions
  // In send order, which decides between deliveries that are due at the same time. Not sorted by due time: reading all
  // of it once a round costs less.
  readonly #inFlight = new Set<Delivery>()
  #isPaused = false
  #roundsInRow = 0
  // The time of the next round: AT_ONCE also while it waits in a microtask, NEVER when none is scheduled.
  #nextRoundMs = NEVER
  #cancelTimer: (() => void) | undefined

  constructor(options: ResolvedOptions) {
    this.#options = options
  }

  /** Starts the delivery of a sender's `nth` frame to one receiver. */
  send(sender: Client, nth: number, subscription: Subscription, topic: Topic, bytes: Uint8Array): void {
    const receiver = subscription.connection.client
    const route = { sender: sender.number, nth, receiver: receiver.number }
    const copies = drawCopies(this.#options, route)
    this.#count(receiver, 'sent')
    if (copies.length === 0) this.#count(receiver, 'lost')
    if (copies.length === 2) this.#count(receiver, 'duplicated')
    for (const { delayMs, overtakenBy } of copies) {
      // Each receiver gets its own bytes. Not by `slice`, since that of a Node Buffer shares the memory.
      const copy = new Uint8Array(bytes)
      this.#start({ sender, subscription, topic, bytes: copy, delayMs, overtakenBy, dueMs: NEVER })
    }
  }

  /** Counts a frame that is lost before it is in flight. */
  lose(receiver: Client, outcome: 'partitioned' | 'cut'): void {
    this.#count(receiver, 'sent')
    this.#count(receiver, outcome)
  }

  /** Ends the deliveries to one connection, or to all, undelivered. */
  drop(outcome: 'left' | 'cut', connection?: Connection): void {
    for (const delivery of this.#inFlight) {
      const isMeant = connection === undefined || delivery.subscription.connection === connection
      if (isMeant) this.#end(delivery, outcome)
    }
    this.#cancelRound()
    this.#arrangeRound()
  }

  /** Stops delivering until `resume`. */
  pause(): void {
    this.#isPaused = true
    this.#cancelRound()
  }

  resume(): void {
    this.#isPaused = false
    this.#arrangeRound()
  }

  // Later deliveries are counted, not timed, so that the order is the same in every run.
  #start(delivery: Delivery): void {
    const { sender, delayMs, overtakenBy } = delivery
    const { reordered } = delivery.subscription.connection
    this.#schedule(delivery, overtakenBy > 0 ? delayMs + MAX_REORDER_MS : delayMs)
    for (const earlier of reordered) {
      if (earlier.sender === sender) earlier.overtakenBy -= 1
      if (earlier.overtakenBy > 0) continue
      reordered.delete(earlier)
      this.#schedule(earlier, earlier.delayMs)
    }
    if (overtakenBy > 0) reordered.add(delivery)
  }

  #schedule(delivery: Delivery, delayMs: number): void {
    const dueMs = delayMs > 0 ? this.#options.environment.nowMs() + delayMs : AT_ONCE
    // A delivery close to its longest delay keeps its due time.
    if (dueMs >= delivery.dueMs) return
    delivery.dueMs = dueMs
    // Otherwise it follows the deliveries that have overtaken it.
    this.#inFlight.delete(delivery)
    this.#inFlight.add(delivery)
    this.#arrangeRoundBy(dueMs)
  }

  #arrangeRound(): void {
    let firstMs = NEVER
    for (const { dueMs } of this.#inFlight) firstMs = Math.min(firstMs, dueMs)
    this.#arrangeRoundBy(firstMs)
  }

  #arrangeRoundBy(dueMs: number): void {
    if (this.#isPaused || dueMs >= this.#nextRoundMs) return
    this.#cancelRound()
    this.#nextRoundMs = dueMs
    if (dueMs === AT_ONCE && this.#roundsInRow < MAX_ROUNDS) {
      queueMicrotask(() => this.#run(this.#roundsInRow + 1))
      return
    }
    const { environment } = this.#options
    const waitMs = Math.max(0, Math.ceil(dueMs - environment.nowMs()))
    this.#cancelTimer = environment.setTimer(() => this.#run(0), waitMs, true)
  }

  #cancelRound(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    this.#nextRoundMs = NEVER
  }

  #run(roundsInRow: number): void {
    this.#cancelRound()
    this.#roundsInRow = roundsInRow
    const nowMs = this.#options.environment.nowMs()
    const due = [...this.#inFlight].filter(({ dueMs }) => dueMs <= nowMs).sort(byDueTime)
    for (const delivery of due) {
      // The host called before may have frozen the bus, left, or brought the bus down.
      if (this.#isPaused) break
      if (this.#inFlight.has(delivery)) this.#deliver(delivery)
    }
    this.#arrangeRound()
    if (roundsInRow > 0) this.#awaitIdle(IDLE_TURNS)
  }

  #awaitIdle(turns: number): void {
    if (this.#nextRoundMs === AT_ONCE) return
    if (turns > 0) queueMicrotask(() => this.#awaitIdle(turns - 1))
    else this.#roundsInRow = 0
  }

  #deliver(delivery: Delivery): void {
    const { subscription, topic, bytes } = delivery
    const { connection, state } = subscription
    const { host } = connection
    this.#end(delivery, state === 'joined' ? 'delivered' : 'left')
    if (state !== 'joined') return
    if (subscription.topic === topic) callHost(host, topic, () => host.receive(topic, bytes))
    else callHost(host, undefined, () => host.watched(topic, bytes))
  }

  #end(delivery: Delivery, outcome: Counted): void {
    const { connection } = delivery.subscription
    this.#inFlight.delete(delivery)
    connection.reordered.delete(delivery)
    this.#count(connection.client, outcome)
  }

  #count(receiver: Client, event: Counted): void {
    this.counter.add(event)
    receiver.counter.add(event)
  }
}

// The sort is stable and treats NaN, the difference of two AT_ONCE, as equal.
function byDueTime(one: Delivery, other: Delivery): number {
  return one.dueMs - other.dueMs
}
