import type { Environment } from 'rivulet'

/** The one true time of a test, in milliseconds, and the machines that live in it. */
export class TrueTime {
  nowMs = 0
  readonly machines: DriftingClocks[] = []

  /** Lets time pass. A machine that is awake runs its timers once at the end, as one does that was busy meanwhile. */
  async pass(ms: number, asleep?: DriftingClocks): Promise<void> {
    for (const machine of this.machines) machine.pass(ms, machine === asleep)
    this.nowMs += ms
    for (const machine of this.machines) if (machine !== asleep) machine.runTimers()
    await new Promise(setImmediate)
  }
}

/** A machine whose monotonic clock runs at a rate of its own, stands still while it sleeps, and can be set, as its date can. */
export class DriftingClocks implements Environment {
  readonly #time: TrueTime
  readonly #rate: number
  #monotonicMs: number
  /** What its timers go by: nobody sets that. */
  #awakeMs = 0
  #dateStepMs = 0
  #timers: { readonly dueMs: number; readonly action: () => void }[] = []

  constructor(time: TrueTime, startMs: number, ppm: number) {
    this.#time = time
    this.#monotonicMs = startMs
    this.#rate = 1 + ppm / 1e6
    time.machines.push(this)
  }

  nowMs(): number {
    return this.#monotonicMs
  }

  dateMs(): number {
    return Math.floor(Date.UTC(2026, 0, 1) + this.#time.nowMs + this.#dateStepMs)
  }

  random(): number {
    return Math.random()
  }

  setTimer(action: () => void, waitMs: number): () => void {
    const timer = { dueMs: this.#awakeMs + waitMs, action }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  step(ms: number): void {
    this.#monotonicMs += ms
  }

  stepDate(ms: number): void {
    this.#dateStepMs += ms
  }

  pass(ms: number, isAsleep: boolean): void {
    if (isAsleep) return
    this.#monotonicMs += ms * this.#rate
    this.#awakeMs += ms
  }

  runTimers(): void {
    const due = this.#timers.filter(({ dueMs }) => dueMs <= this.#awakeMs)
    this.#timers = this.#timers.filter(({ dueMs }) => dueMs > this.#awakeMs)
    for (const { action } of due) action()
  }
}
