import type { Environment } from 'rivulet'
import { Chance } from './chance.ts'
import { type Owner, TIMER, type VirtualTime } from './virtual-time.ts'

/** No clock runs slower. */
const SLOWEST_RATE = 0.9
/** How far any clock may be off without being meddled with: two are apart by 500 ppm at the most. */
const MOST_DRIFT = 250e-6
const BIRTH_MS = Date.UTC(2026, 0, 1)

/** A process with its own clock, timers and chance, all from the seed. It can be busy, and it can die. */
export class Machine implements Environment, Owner {
  busyUntilMs = 0
  isDead = false
  /** Timers with a wait that have neither run nor been cancelled. RxJS throws by timers without one. */
  pendingTimers = 0
  /** What its monotonic clock has gone through, as the hub saw it when it last read it: steps back are none. */
  elapsedMs = 0
  /** How fast its clock runs, which no clock does exactly as another. */
  rate: number
  usualRate: number
  /** Whether its clock has jumped, or run at another speed. */
  isMeddledWith = false
  /** When it last woke up, on the one true clock. */
  lastWakeMs = -Infinity
  /** Until when it was last busy, on the one true clock. */
  lastBusyMs = -Infinity
  readonly random: () => number
  readonly #time: VirtualTime
  #anchorMs: number
  #anchorTrueMs: number
  #lastReadMs: number

  constructor(time: VirtualTime, seed: number) {
    const chance = new Chance(seed)
    this.#time = time
    this.random = chance.next
    this.#anchorMs = chance.between(0, 1_000_000_000) / 8
    this.usualRate = 1 + MOST_DRIFT * (2 * new Chance(seed, 1).next() - 1)
    this.rate = this.usualRate
    this.#anchorTrueMs = time.nowMs
    this.#lastReadMs = this.#anchorMs
  }

  /** Returns the true time in this process: that of the simulation, or later while it is busy. */
  trueMs(): number {
    return Math.max(this.#time.nowMs, this.busyUntilMs)
  }

  /** Returns the most that a wait of so long may truly take, on a clock that may be slow. */
  longestMs(waitMs: number): number {
    return waitMs / (this.isMeddledWith ? SLOWEST_RATE : 1 - MOST_DRIFT)
  }

  /** Whether it was busy a moment ago: its timers are late. */
  get isSlow(): boolean {
    return this.#time.nowMs - this.lastBusyMs < 5_000
  }

  get isBusy(): boolean {
    return this.busyUntilMs > this.#time.nowMs
  }

  nowMs(): number {
    const readMs = this.#readMs()
    this.elapsedMs += Math.max(0, readMs - this.#lastReadMs)
    this.#lastReadMs = readMs
    return readMs
  }

  dateMs(): number {
    return BIRTH_MS + Math.floor(this.trueMs())
  }

  setTimer(action: () => void, waitMs: number): () => void {
    const wholeMs = Math.max(1, Math.trunc(waitMs)) // as setTimeout has it
    let isPending = waitMs > 0
    if (isPending) this.pendingTimers++
    const end = () => {
      if (isPending) this.pendingTimers--
      isPending = false
    }
    const run = () => {
      end()
      action()
    }
    const cancel = this.#time.at(this.trueMs() + wholeMs / this.rate, run, this, TIMER)
    return () => {
      end()
      cancel()
    }
  }

  /** Lets the clock jump, ahead or back. */
  step(ms: number): void {
    this.#anchorMs += ms
    this.isMeddledWith = true
  }

  /** Lets the clock run a little too fast or too slow, as every clock does. */
  drift(by: number): void {
    this.usualRate = 1 + by
    this.#runAt(this.usualRate)
  }

  /** Lets the clock run at another speed from now on, as none does. */
  setRate(rate: number): void {
    this.#runAt(rate)
    this.isMeddledWith = true
  }

  /** Sleeps, as a notebook does: nothing runs, its monotonic clock stands still, and its timers wait for that clock. */
  sleep(ms: number): void {
    this.block(ms)
    this.lastWakeMs = this.busyUntilMs
    this.#anchorMs -= ms * this.rate
    this.#time.delayTimers(this, ms)
  }

  /** Keeps the event loop busy: nothing else of this process runs before. */
  block(ms: number): void {
    this.busyUntilMs = this.trueMs() + ms
    this.lastBusyMs = this.busyUntilMs
  }

  #runAt(rate: number): void {
    this.#anchorMs = this.#readMs()
    this.#anchorTrueMs = this.trueMs()
    this.rate = rate
  }

  #readMs(): number {
    return this.#anchorMs + (this.trueMs() - this.#anchorTrueMs) * this.rate
  }
}
