import type { Topic, TransportHost } from 'rivulet'
import { Lane } from './lane.ts'
import type { Machine } from './machine.ts'
import type { VirtualTime } from './virtual-time.ts'

/** One connection of a link to the bus: a lane each way, and what is joined over it. */
export class LinkConnection {
  readonly host: TransportHost
  readonly up: Lane
  readonly down: Lane
  /** What was asked for, by topic: an object for each join, so that a frame of an earlier one is known. */
  readonly joins = new Map<Topic, { isConfirmed: boolean }>()
  isUp = false
  /** Whether the host hears nothing more. */
  isSilent = false
  /** Bytes sent so far, and how many of them a barrier that was answered covers. */
  sentBytes = 0
  coveredBytes = 0
  /** Barriers that are not answered, in their order. */
  readonly barriers: object[] = []
  /** When the first of them began, or the one before it was answered; nothing when the last one was. */
  openBarrierMs: number | undefined
  /** When a frame came last. */
  heardMs = -Infinity

  readonly #machine: Machine

  constructor(time: VirtualTime, machine: Machine, latencyMs: number, host: TransportHost) {
    this.host = host
    this.#machine = machine
    this.up = new Lane(time, latencyMs)
    this.down = new Lane(time, latencyMs, machine)
  }

  /** Topics whose join the hub was told of. */
  get confirmed(): Topic[] {
    return [...this.joins].flatMap(([topic, { isConfirmed }]) => (isConfirmed ? [topic] : []))
  }

  /** For how long a barrier has had no answer; one that closes waits for none. */
  openBarrierForMs(nowMs: number): number {
    return this.isUp && !this.isSilent ? nowMs - (this.openBarrierMs ?? nowMs) : 0
  }

  /** For how long the backend has given no sign of life that the hub asked for. */
  silentForMs(nowMs: number): number {
    return Math.min(this.openBarrierForMs(nowMs), nowMs - this.heardMs)
  }

  /** An answer confirms the barriers before it, too. */
  barrierAnswered(barrier: object, nowMs: number): void {
    this.barriers.splice(0, this.barriers.indexOf(barrier) + 1)
    this.openBarrierMs = this.barriers.length > 0 ? nowMs : undefined
  }

  barrierEnded(barrier: object): void {
    const nth = this.barriers.indexOf(barrier)
    if (nth >= 0) this.barriers.splice(nth, 1)
  }

  /** Sends a question up, and its answer down. */
  ask(signal: AbortSignal, question: () => Promise<void>, answered = () => {}): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason)
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      const answer = () => {
        answered()
        resolve()
      }
      const ask = () => {
        question().then(
          () => this.down.pass(answer),
          (cause) => this.down.pass(() => reject(cause)),
        )
      }
      this.up.pass(ask, this.#machine.trueMs())
    })
  }

  freeze(): void {
    this.up.freeze()
    this.down.freeze()
  }

  thaw(): void {
    this.up.thaw()
    this.down.thaw()
  }

  end(): void {
    this.isUp = false
    this.isSilent = true
    this.cutLanes()
    this.joins.clear()
  }

  cutLanes(): void {
    this.up.cut()
    this.down.cut()
  }
}
