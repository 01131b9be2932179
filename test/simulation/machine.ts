import type { Environment } from 'rivulet'
import { Chance } from './chance.ts'
import { type Owner, TIMER, type VirtualTime } from './virtual-time.ts'

/** No clock runs slower. */
const SLOWEST_RATE = 0.9
const BIRTH_MS = Date.UTC(2026, 0, 1)

/** A process with its own clock, timers and chance, all from the seed. It can be busy, and it can die. */
export class Machine implements Environment, Owner {
  busyUntilMs = 0
  isDead = false
  /** Timers with a wait that have neither run nor been cancelled. RxJS throws by timers without one. */
  pendingTimers = 0
  /** What its monotonic clock has gone through, as the hub saw it when it last read it: steps back are none. */
  elapsedMs = 0
  /** How fast its clock runs. */
  rate = 1
  /** Whether its clock has jumped, or run at another speed. */
  isMeddledWith = false
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
    this.#anchorTrueMs = time.nowMs
    this.#lastReadMs = this.#anchorMs
  }

  /** Returns the true time in this process: that of the simulation, or later while it is busy. */
  trueMs(): number {
    return Math.max(this.#time.nowMs, this.busyUntilMs)
  }

  /** Returns the most that a wait of so long may truly take, on a clock that may be slow. */
  longestMs(waitMs: number): number {
    return this.isMeddledWith ? waitMs / SLOWEST_RATE : waitMs
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
    return BIRTH_MS + Math.floor(this.#readMs())
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

  /** Lets the clock run at another speed from now on. */
  setRate(rate: number): void {
    this.#anchorMs = this.#readMs()
    this.#anchorTrueMs = this.trueMs()
    this.rate = rate
    this.isMeddledWith = true
  }

  /** Keeps the event loop busy: nothing else of this process runs before. */
  block(ms: number): void {
    this.busyUntilMs = this.trueMs() + ms
    this.lastBusyMs = this.busyUntilMs
  }

  #readMs(): number {
    return this.#anchorMs + (this.trueMs() - this.#anchorTrueMs) * this.rate
  }
}
