import { EventEmitter } from 'eventemitter3'

/** So deep are listeners told of events that they cause themselves; a loop ends here and not with the stack. */
const MOST_NESTED = 8

type Handler<Payload> = (payload: Payload) => unknown

/**
 * Lifecycle events on EventEmitter3. The emitter exists only once somebody listens, and a listener that throws,
 * or whose promise rejects, neither stops the others nor reaches whoever emits.
 */
export class Events<Payloads extends object> {
  readonly #onThrow: (error: unknown, event: keyof Payloads) => void
  #emitter: EventEmitter | undefined
  /** How many events are being told, one inside the other. */
  #nested = 0

  /** `onThrow` is told what a listener threw, and of which event it was. */
  constructor(onThrow: (error: unknown, event: keyof Payloads) => void) {
    this.#onThrow = onThrow
  }

  has(event: keyof Payloads & string): boolean {
    return this.#emitter !== undefined && this.#emitter.listenerCount(event) > 0
  }

  on<Name extends keyof Payloads & string>(event: Name, handler: Handler<Payloads[Name]>): void {
    this.#emitter ??= new EventEmitter()
    this.#emitter.on(event, handler)
  }

  off<Name extends keyof Payloads & string>(event: Name, handler: Handler<Payloads[Name]>): void {
    this.#emitter?.off(event, handler)
  }

  /** Builds the payload only when somebody listens. Nobody is called once `clear` has been. */
  emit<Name extends keyof Payloads & string>(event: Name, payload: () => Payloads[Name]): void {
    const emitter = this.#emitter
    if (emitter === undefined || !this.has(event) || this.#nested === MOST_NESTED) return
    this.#nested++
    try {
      const built = payload()
      for (const handler of emitter.listeners(event)) {
        if (this.#emitter !== emitter) return
        const onThrow = (error: unknown) => this.#onThrow(error, event)
        try {
          const result: unknown = (handler as Handler<Payloads[Name]>)(built)
          if (result instanceof Promise) result.catch(onThrow)
        } catch (error) {
          onThrow(error)
        }
      }
    } finally {
      this.#nested--
    }
  }

  clear(): void {
    this.#emitter = undefined
  }
}
