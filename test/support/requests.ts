import { AsyncLocalStorage } from 'node:async_hooks'

/** What stands for an own context of no request. */
export const OUTSIDE = 'outside'

/** Requests of a server, by their names, and which of them something runs in. */
export class Requests {
  readonly #store = new AsyncLocalStorage<string>()
  readonly #seen = new Map<string, string[]>()

  /** The request that runs now. */
  get current(): string {
    return this.#store.getStore() ?? OUTSIDE
  }

  /** Runs work in a request. */
  run<Result>(name: string, work: () => Result): Result {
    return this.#store.run(name, work)
  }

  /** Goes on in a request, as `run` would, to the end of what runs now. */
  enter(name: string): void {
    this.#store.enterWith(name)
  }

  /** Notes that something was called, and in which request. */
  note(what: string): void {
    this.#seen.set(what, [...(this.#seen.get(what) ?? []), this.current])
  }

  /** Makes a listener that notes. */
  noting(what: string): () => void {
    return () => this.note(what)
  }

  /** By what was called: the requests in which it was. */
  get seen(): Readonly<Record<string, readonly string[]>> {
    return Object.fromEntries(this.#seen)
  }
}
