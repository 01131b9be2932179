import { EventEmitter } from 'eventemitter3'

type Handler<Payload> = (payload: Payload) => void

/**
 * Lifecycle events on EventEmitter3. The emitter exists only once somebody listens, and a listener that throws
 * neither stops the others nor reaches whoever emits.
 */
export class Events<Payloads extends object> {
  readonly #onThrow: (error: unknown) => void
  #emitter: EventEmitter | undefined

  constructor(onThrow: (error: unknown) => void) {
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

  /** Builds the payload only when somebody listens. */
  emit<Name extends keyof Payloads & string>(event: Name, payload: () => Payloads[Name]): void {
    if (!this.has(event)) return
    const built = payload()
    for (const handler of this.#emitter?.listeners(event) ?? []) {
      try {
        ;(handler as Handler<Payloads[Name]>)(built)
      } catch (error) {
        this.#onThrow(error)
      }
    }
  }

  clear(): void {
    this.#emitter?.removeAllListeners()
  }
}
