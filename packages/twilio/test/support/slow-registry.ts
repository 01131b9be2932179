import { memoryRegistry, type StreamRegistry } from '@rivulet/twilio'

/** A registry whose answers a test holds back, or lets fail. */
export class SlowRegistry {
  readonly registry: StreamRegistry
  #open = Promise.resolve()
  #release = () => {}
  #failures: unknown[] = []

  constructor() {
    const inner = memoryRegistry()
    const find: StreamRegistry['find'] = async (...args) => {
      await this.#open
      const failure = this.#failures.shift()
      if (failure !== undefined) throw failure
      return inner.find(...args)
    }
    this.registry = new Proxy(inner, {
      get(target, name) {
        if (name === 'find') return find
        const member = Reflect.get(target, name)
        return typeof member === 'function' ? member.bind(target) : member
      },
    })
  }

  /** Holds answers back until they are released. */
  hold(): void {
    this.#open = new Promise((resolve) => {
      this.#release = resolve
    })
  }

  release(): void {
    this.#release()
  }

  /** Lets the next finds fail. */
  fail(...failures: unknown[]): void {
    this.#failures = failures
  }
}
