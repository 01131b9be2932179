import { type Owner, SOCKET, type VirtualTime } from './virtual-time.ts'

/** One direction of a link: first in, first out, after a while. It can freeze, and be cut. */
export class Lane {
  readonly #time: VirtualTime
  readonly #latencyMs: number
  readonly #owner: Owner | undefined
  #lastDueMs = 0
  #isFrozen = false
  #isCut = false
  #held: (() => void)[] = []

  /** `owner` is whose event loop takes what arrives. */
  constructor(time: VirtualTime, latencyMs: number, owner?: Owner) {
    this.#time = time
    this.#latencyMs = latencyMs
    this.#owner = owner
  }

  /** Sends an action on its way, at `fromMs` or later. */
  pass(action: () => void, fromMs = this.#time.nowMs): void {
    this.#lastDueMs = Math.max(fromMs + this.#latencyMs, this.#lastDueMs)
    this.#start(action, this.#lastDueMs)
  }

  freeze(): void {
    this.#isFrozen = true
  }

  /** Lets all that was held go on, in order, at once. */
  thaw(): void {
    this.#isFrozen = false
    const { nowMs } = this.#time
    for (const action of this.#held.splice(0)) this.#start(action, nowMs)
    this.#lastDueMs = Math.max(this.#lastDueMs, nowMs)
  }

  /** Drops what is on its way, and all that follows. */
  cut(): void {
    this.#isCut = true
    this.#held = []
  }

  #start(action: () => void, dueMs: number): void {
    const arrive = () => {
      if (this.#isCut) return
      if (this.#isFrozen) this.#held.push(action)
      else action()
    }
    this.#time.at(dueMs, arrive, this.#owner, SOCKET)
  }
}
