import { EventEmitter } from 'eventemitter3'
import { isThenable } from './thenable.ts'

/** The deepest nesting of events that listeners cause themselves: a loop ends here instead of exhausting the stack. */
const MAX_NESTING = 8

/** Receives the error that a listener of an event threw, or rejected with. */
type OnThrow<Event> = (error: unknown, event: Event, isRejection: boolean) => void
type Handler = (payload: never, detail: never) => unknown
type Registration = ((...args: never[]) => void) & { handler?: Handler; isOff?: boolean }

/**
 * Lifecycle events on EventEmitter3, which calls a listener even after `off` when an emit is running and lets a throw
 * through. Here a listener is not called after `off` or `clear`, and when one throws, or returns a promise that
 * rejects, the others still run.
 */
export class Events<Payloads extends object> {
  readonly #onThrow: OnThrow<keyof Payloads>
  readonly #emitter = new EventEmitter()
  #nesting = 0

  constructor(onThrow: OnThrow<keyof Payloads>) {
    this.#onThrow = onThrow
  }

  has(event: keyof Payloads & string): boolean {
    return this.#emitter.listenerCount(event) > 0
  }

  on(event: keyof Payloads & string, handler: Handler, isOnce: boolean): void {
    const registration: Registration = (...args: [never, never]) => {
      if (registration.isOff) return
      if (isOnce) this.#remove(event, registration)
      try {
        const result = handler(...args)
        if (isThenable(result)) result.then(undefined, (error) => this.#onThrow(error, event, true))
      } catch (error) {
        this.#onThrow(error, event, false)
      }
    }
    registration.handler = handler
    this.#emitter.on(event, registration as () => void)
  }

  off(event: keyof Payloads & string, handler: Handler): void {
    for (const registration of this.#emitter.listeners(event) as Registration[]) {
      if (registration.handler === handler) this.#remove(event, registration)
    }
  }

  /** Calls the listeners. Build a payload only when {@link has} returns true. */
  emit<Name extends keyof Payloads & string>(event: Name, ...args: [Payloads[Name], detail?: unknown]): void {
    if (this.#nesting === MAX_NESTING) return
    this.#nesting++
    try {
      this.#emitter.emit(event, ...args)
    } finally {
      this.#nesting--
    }
  }

  /** Calls the listeners at any depth of nesting: for an event that happens once, so that it cannot loop. */
  emitOnce<Name extends keyof Payloads & string>(event: Name, payload: Payloads[Name]): void {
    this.#emitter.emit(event, payload)
  }

  /** Removes every listener. */
  clear(): void {
    for (const event of this.#emitter.eventNames()) {
      for (const registration of this.#emitter.listeners(event)) (registration as Registration).isOff = true
    }
    this.#emitter.removeAllListeners()
  }

  #remove(event: string, registration: Registration): void {
    registration.isOff = true
    this.#emitter.off(event, registration as (...args: unknown[]) => void)
  }
}
