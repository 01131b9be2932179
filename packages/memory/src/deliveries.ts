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

/** The longest that a frame is held back. */
const MAX_HOLD_MS = 20
/** The due time of a delivery without delay: before every delayed one, whatever the clock says. */
const AT_ONCE = -Infinity
const NEVER = Infinity
// Two hubs that answer each other without end would keep the event loop in microtasks, and no timer, socket or input
// would get its turn. So after this many rounds in a row, a few milliseconds, the next round waits for a timer of 0 ms.
const MAX_ROUNDS = 1000
// Rounds are in a row while the next frame is sent within this many turns of the microtask queue; a hub needs fewer to
// answer. A quiet time starts the count again without a timer: else a bus under fake timers would stop at the limit.
const QUIET_TURNS = 16

/**
 * Takes frames to their receivers, with the faults that the options ask for, and counts the outcome of each.
 * Deliveries without delay arrive in the next microtask, those of one tick in one round; delayed ones when they are
 * due, by one timer. Nothing is scheduled while nothing is on its way.
 */
export class Deliveries {
  readonly counter = new Counter()
  readonly #options: ResolvedOptions
  // In the order of sending, which decides between deliveries that are due at the same time. It is not sorted by due
  // time: reading all of it once a round costs less.
  readonly #onTheWay = new Set<Delivery>()
  #isPaused = false
  #roundsInRow = 0
  // When the next round is due: AT_ONCE also while it waits in a microtask, NEVER when none is arranged.
  #nextRoundMs = NEVER
  #cancelTimer: (() => void) | undefined

  constructor(options: ResolvedOptions) {
    this.#options = options
  }

  /** Sends the `nth` frame of a sender on its way to one receiver. */
  send(sender: Client, nth: number, subscription: Subscription, topic: Topic, bytes: Uint8Array): void {
    const receiver = subscription.connection.client
    const route = { sender: sender.number, nth, receiver: receiver.number }
    const copies = drawCopies(this.#options, route)
    this.#count(receiver, 'sent')
    if (copies.length === 0) this.#count(receiver, 'lost')
    if (copies.length === 2) this.#count(receiver, 'duplicated')
    for (const { delayMs, letsPass } of copies) {
      // Bytes of its own for each receiver. Not by `slice`, since that of a Node Buffer shares the memory.
      const copy = new Uint8Array(bytes)
      this.#start({ sender, subscription, topic, bytes: copy, delayMs, letsPass, dueMs: NEVER })
    }
  }

  /** Counts a frame that does not get on its way. */
  lose(receiver: Client, outcome: 'partitioned' | 'cut'): void {
    this.#count(receiver, 'sent')
    this.#count(receiver, outcome)
  }

  /** Ends the deliveries to one connection, or to all, undelivered. */
  drop(outcome: 'left' | 'cut', connection?: Connection): void {
    for (const delivery of this.#onTheWay) {
      const isMeant = connection === undefined || delivery.subscription.connection === connection
      if (isMeant) this.#end(delivery, outcome)
    }
    this.#cancelRound()
    this.#arrangeRound()
  }

  /** Delivers nothing more until `resume`. */
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
    const { sender, delayMs, letsPass } = delivery
    const { heldBack } = delivery.subscription.connection
    this.#schedule(delivery, letsPass > 0 ? delayMs + MAX_HOLD_MS : delayMs)
    for (const earlier of heldBack) {
      if (earlier.sender === sender) earlier.letsPass -= 1
      if (earlier.letsPass > 0) continue
      heldBack.delete(earlier)
      this.#schedule(earlier, earlier.delayMs)
    }
    if (letsPass > 0) heldBack.add(delivery)
  }

  #schedule(delivery: Delivery, delayMs: number): void {
    const dueMs = delayMs > 0 ? this.#options.environment.nowMs() + delayMs : AT_ONCE
    // A delivery that was held back for nearly as long as it may be goes on when that time is over.
    if (dueMs >= delivery.dueMs) return
    delivery.dueMs = dueMs
    // Otherwise it goes behind those that it has let pass.
    this.#onTheWay.delete(delivery)
    this.#onTheWay.add(delivery)
    this.#arrangeRoundBy(dueMs)
  }

  #arrangeRound(): void {
    let firstMs = NEVER
    for (const { dueMs } of this.#onTheWay) firstMs = Math.min(firstMs, dueMs)
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
    const due = [...this.#onTheWay].filter(({ dueMs }) => dueMs <= nowMs).sort(byDueTime)
    for (const delivery of due) {
      // The host that was called before may have frozen the bus, left, or brought the bus down.
      if (this.#isPaused) break
      if (this.#onTheWay.has(delivery)) this.#deliver(delivery)
    }
    this.#arrangeRound()
    if (roundsInRow > 0) this.#awaitQuiet(QUIET_TURNS)
  }

  #awaitQuiet(turns: number): void {
    if (this.#nextRoundMs === AT_ONCE) return
    if (turns > 0) queueMicrotask(() => this.#awaitQuiet(turns - 1))
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
    this.#onTheWay.delete(delivery)
    connection.heldBack.delete(delivery)
    this.#count(connection.client, outcome)
  }

  #count(receiver: Client, event: Counted): void {
    this.counter.add(event)
    receiver.counter.add(event)
  }
}

// The sort is stable and takes NaN, the difference of two that are due at once, for equal.
function byDueTime(one: Delivery, other: Delivery): number {
  return one.dueMs - other.dueMs
}
