import { EventEmitter } from 'eventemitter3'
import { isThenable } from './thenable.ts'

/** How deep listeners are told of events that they cause themselves: a loop ends here, not with the stack. */
const MAX_NESTING = 8

/** Takes what a listener of an event threw, or rejected with. */
type OnThrow<Event> = (error: unknown, event: Event, isRejection: boolean) => void
type Handler = (payload: never, detail: never) => unknown
type Registration = ((...args: never[]) => void) & { handler?: Handler; isOff?: boolean }

/**
 * Lifecycle events on EventEmitter3, which calls a listener even after `off` when an emit is running and lets a
 * throw through. Here a listener is not called after `off` or `clear`, and one that throws, or returns a promise
 * that rejects, stops nobody.
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

  /** Tells the listeners. Build a payload only when {@link has} says that somebody listens. */
  emit<Name extends keyof Payloads & string>(event: Name, ...told: [Payloads[Name], detail?: unknown]): void {
    if (this.#nesting === MAX_NESTING) return
    this.#nesting++
    try {
      this.#emitter.emit(event, ...told)
    } finally {
      this.#nesting--
    }
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
