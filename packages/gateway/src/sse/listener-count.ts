import type { Caller } from '../access/caller.ts'
import { ApiError, PROBLEMS } from '../base/problem.ts'
import type { ClientSocket } from '../http/client-socket.ts'
import { Quota } from '../sessions/quota.ts'

/** The limits on listeners. */
export interface ListenerCountLimits {
  /** How many listeners each key may have at once. @default 2000 */
  readonly maxPerKey: number
  /**
   * How many listeners each browser token may have at once, and each identity of access tokens. The key behind it
   * counts them too. @default 100
   */
  readonly maxPerHolder: number
}

/** A listener: its key or address, and its connection where the server gives it. */
export interface ListeningClient {
  readonly caller: Caller
  readonly socket: ClientSocket | undefined
}

/** Counts those who listen, and says who may not listen beside them. */
export class ListenerCount {
  readonly #perKey: Quota
  readonly #perHolder: Quota
  readonly #sockets = new WeakSet<ClientSocket>()

  constructor(limits: ListenerCountLimits) {
    this.#perKey = new Quota(limits.maxPerKey)
    this.#perHolder = new Quota(limits.maxPerHolder)
  }

  /** Throws 20429 for a client that may not listen now. */
  checkCapacity({ caller, socket }: ListeningClient): void {
    const retry = { 'retry-after': '10' }
    // HTTP answers it after the first: it would take nothing until that one has ended.
    if (socket !== undefined && this.#sockets.has(socket)) throw new ApiError(PROBLEMS.listensAlready, retry)
    if (caller.holder !== caller.keySid && this.#perHolder.isUsedUp(caller.holder)) {
      throw new ApiError(PROBLEMS.tooManyListenersOfHolder, retry)
    }
    if (this.#perKey.isUsedUp(caller.keySid)) throw new ApiError(PROBLEMS.tooManyListeners, retry)
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
