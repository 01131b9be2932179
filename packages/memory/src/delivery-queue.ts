import { TimedHeap } from './timed-heap.ts'

// A microtask drain that feeds itself would starve timers and input: after so many in a row, or so long a one,
// the rest waits for a timer.
const MAX_MICROTASK_DRAINS = 256
const MAX_DRAIN_MS = 8
const CLOCK_EVERY = 64

/**
 * Hands items over later: those without delay in order, a tick's worth in one microtask; those with a delay when
 * they are due, from one timer. Nothing is pending while it is empty or paused.
 */
export class DeliveryQueue<T> {
  readonly #deliver: (item: T) => void
  #ready: T[] = []
  // Index of the next item of #ready; those before it are delivered.
  #head = 0
  #microtaskDrains = 0
  #isScheduled = false
  #isPaused = false
  #yieldTimer: ReturnType<typeof setTimeout> | undefined
  readonly #delayed = new TimedHeap<T>()
  #dueTimer: ReturnType<typeof setTimeout> | undefined
  // When #dueTimer fires; Infinity while there is none.
  #wakeAtMs = Number.POSITIVE_INFINITY

  /** `deliver` must not throw. */
  constructor(deliver: (item: T) => void) {
    this.#deliver = deliver
  }

  push(item: T, delayMs: number): void {
    if (delayMs > 0) {
      this.#delayed.push(item, performance.now() + delayMs)
      this.#wake()
      return
    }
    this.#ready.push(item)
    this.#schedule()
  }

  /** Delivers nothing more until `resume`. */
  pause(): void {
    this.#isPaused = true
    this.#clearYieldTimer()
    this.#clearDueTimer()
  }

  resume(): void {
    this.#isPaused = false
    this.#schedule()
    this.#wake()
  }

  /** Takes out the items that match, undelivered. */
  remove(matches: (item: T) => boolean): T[] {
    const waiting = this.#ready.slice(this.#head)
    this.#ready = waiting.filter((item) => !matches(item))
    this.#head = 0
    const removed = [...waiting.filter(matches), ...this.#delayed.remove(matches)]
    if (this.#ready.length === 0) this.#clearYieldTimer()
    this.#clearDueTimer()
    this.#wake()
    return removed
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isPaused || this.#head === this.#ready.length) return
    this.#isScheduled = true
    if (++this.#microtaskDrains > MAX_MICROTASK_DRAINS) this.#yield()
    else queueMicrotask(() => this.#drain())
  }

  #yield(): void {
    this.#yieldTimer = setTimeout(() => {
      this.#yieldTimer = undefined
      this.#microtaskDrains = 0
      this.#drain()
    })
  }

  #drain(): void {
    const startMs = performance.now()
    let count = 0
    let isOverdue = false
    while (!isOverdue && !this.#isPaused && this.#head < this.#ready.length) {
      this.#deliver(this.#ready[this.#head++] as T)
      isOverdue = ++count % CLOCK_EVERY === 0 && performance.now() - startMs > MAX_DRAIN_MS
    }
    this.#trim()
    if (isOverdue && !this.#isPaused && this.#ready.length > this.#head) this.#yield()
    else this.#isScheduled = false
  }

  // Only once half is delivered: each item is moved once at most, on average.
  #trim(): void {
    if (this.#head < this.#ready.length / 2) return
    this.#ready = this.#ready.slice(this.#head)
    this.#head = 0
  }

  #wake(): void {
    const dueMs = this.#delayed.firstDueMs
    if (this.#isPaused || dueMs >= this.#wakeAtMs) return
    this.#clearDueTimer()
    this.#wakeAtMs = dueMs
    this.#dueTimer = setTimeout(() => this.#deliverDue(), Math.max(0, Math.ceil(dueMs - performance.now())))
  }

  #deliverDue(): void {
    this.#clearDueTimer()
    const nowMs = performance.now()
    // What a delivery pushes is due later than `nowMs`, so this ends.
    while (!this.#isPaused && this.#delayed.firstDueMs <= nowMs) this.#deliver(this.#delayed.shift())
    this.#wake()
  }

  #clearYieldTimer(): void {
    if (this.#yieldTimer === undefined) return
    clearTimeout(this.#yieldTimer)
    this.#yieldTimer = undefined
    this.#isScheduled = false
  }

  #clearDueTimer(): void {
    clearTimeout(this.#dueTimer)
    this.#dueTimer = undefined
    this.#wakeAtMs = Number.POSITIVE_INFINITY
  }
}
