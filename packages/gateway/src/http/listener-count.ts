import type { Caller } from '../access/caller.ts'
import { NameCounts } from '../base/name-counts.ts'
import { ApiError } from '../base/problem.ts'
import type { ClientSocket } from './exchange.ts'

/** How many may listen at once. */
export interface ListenerCountLimits {
  readonly maxListenersPerKey: number
  readonly maxListenersPerHolder: number
}

/** Who listens, and on which connection, where the server tells. */
export interface ListeningClient {
  readonly caller: Caller
  readonly socket: ClientSocket | undefined
}

/** Counts those who listen, and says who may not listen beside them. */
export class ListenerCount {
  readonly #limits: ListenerCountLimits
  readonly #perKey = new NameCounts()
  readonly #perHolder = new NameCounts()
  readonly #sockets = new WeakSet<ClientSocket>()

  constructor(limits: ListenerCountLimits) {
    this.#limits = limits
  }

  /** Throws 20429 for a client that may not listen now. */
  demandRoom({ caller, socket }: ListeningClient): void {
    const { maxListenersPerKey, maxListenersPerHolder } = this.#limits
    const retry = { 'retry-after': '10' }
    // It would stand behind the first, and take nothing until that one has ended.
    if (socket !== undefined && this.#sockets.has(socket)) throw new ApiError('listensAlready', retry)
    if (this.#perHolder.of(caller.holder) >= maxListenersPerHolder && caller.holder !== caller.keySid)
      throw new ApiError('tooManyListenersOfHolder', retry)
    if (this.#perKey.of(caller.keySid) >= maxListenersPerKey) throw new ApiError('tooManyListeners', retry)
  }

  add({ caller, socket }: ListeningClient): void {
    this.#perKey.add(caller.keySid)
    this.#perHolder.add(caller.holder)
    if (socket !== undefined) this.#sockets.add(socket)
  }

  delete({ caller, socket }: ListeningClient): void {
    this.#perKey.delete(caller.keySid)
    this.#perHolder.delete(caller.holder)
    if (socket !== undefined) this.#sockets.delete(socket)
  }
}
