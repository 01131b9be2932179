import type { RivuletError } from './errors.ts'
import type { Message } from './message.ts'

/** Takes a message. May return a promise; its rejection is counted like a throw. */
export type Listener<Data = unknown> = (message: Message<Data>) => unknown

/** A place in the fan-out, kept by whoever subscribed. */
export interface Seat {
  /** Where the listener stands; −1 once it has left. Written by the fan-out only. */
  index: number
  /** Told that the topic is joined, or why the broker refused that. */
  joined(refusal: RivuletError | undefined): void
  /** Told that the stream ended; `reason` makes the error for whoever waits. */
  end(reason: () => RivuletError): void
}

// Below this many holes tidying costs more than it saves.
const FEW_HOLES = 32

/**
 * Calls listeners in the order in which they came. Coming and leaving cost O(1) amortized: a leaver's place is
 * filled with a listener that does nothing, and the places close up once most of them are empty.
 */
export class FanOut {
  // Two arrays side by side, so that the loop touches nothing but the functions it calls.
  readonly #listeners: Listener[] = []
  readonly #seats: (Seat | undefined)[] = []
  #size = 0
  #calling = false
  readonly #onError: (error: unknown) => void

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError
  }

  get size(): number {
    return this.#size
  }

  /** The seats that are taken. */
  get seats(): Seat[] {
    return this.#seats.filter((seat) => seat !== undefined)
  }

  add(seat: Seat, listener: Listener): void {
    seat.index = this.#listeners.length
    this.#listeners.push(listener)
    this.#seats.push(seat)
    this.#size++
  }

  /** The listener is not called any more, not even later in a fan-out that is running. */
  remove(seat: Seat): void {
    if (seat.index < 0) return
    this.#listeners[seat.index] = nobody
    this.#seats[seat.index] = undefined
    seat.index = -1
    this.#size--
    this.#closeUp()
  }

  /** Empties every seat, and returns those that were taken. */
  clear(): Seat[] {
    const left = this.seats
    for (const seat of left) seat.index = -1
    this.#listeners.fill(nobody)
    this.#seats.fill(undefined)
    this.#size = 0
    this.#closeUp()
    return left
  }

  /** Calls every listener that is there now. A listener that throws or rejects hurts nobody. */
  emit(message: Message): void {
    const listeners = this.#listeners
    const count = listeners.length
    this.#calling = true
    for (let index = 0; index < count; index++) {
      try {
        const result = (listeners[index] as Listener)(message)
        if (result !== undefined) this.#watch(result)
      } catch (error) {
        try {
          this.#onError(error)
        } catch {} // The stack is exhausted. Others are still called, and no call here could overflow it again.
      }
    }
    this.#calling = false
    if (this.#size < this.#listeners.length) this.#closeUp()
  }

  #watch(result: unknown): void {
    if (typeof result !== 'object' || result === null || !('then' in result)) return
    if (typeof result.then === 'function') result.then(undefined, this.#onError)
  }

  /** A running fan-out keeps its places: who left is skipped, who came is called from the next message on. */
  #closeUp(): void {
    const holes = this.#listeners.length - this.#size
    if (this.#calling || (holes < FEW_HOLES && this.#size > 0) || holes < this.#size) return
    const listeners = this.#listeners
    const seats = this.#seats
    let size = 0
    for (let index = 0; index < seats.length; index++) {
      const seat = seats[index]
      if (seat === undefined) continue
      seat.index = size
      seats[size] = seat
      listeners[size] = listeners[index] as Listener
      size++
    }
    seats.length = size
    listeners.length = size
  }
}

function nobody(): void {}
