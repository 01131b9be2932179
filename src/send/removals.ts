import { after } from '../base/timer.ts'
import type { Connection } from '../connection/connection.ts'
import { RivuletError } from '../errors/errors.ts'
import { log } from '../errors/report.ts'
import { encodeRemoval } from '../message/frame.ts'
import { sidOf } from '../message/sid.ts'
import type { Topic } from '../message/topic.ts'
import type { LossReason } from '../state/ledger.ts'
import type { Outbox } from '../state/send-part.ts'
import type { HubState, StreamState } from '../state/stream-state.ts'
import { nextSequence, originOf, renewOrigin } from './origin.ts'

/** The most removals that are kept for a connection: with `maxAgeMs: false` they are kept without end. */
const MOST_KEPT = 1_000

/** The notice to other processes that a stream was removed. */
interface Removal {
  readonly state: StreamState
  readonly topic: Topic
  readonly sequence: number
  readonly tMs: number
  /** The reason why it did not reach the broker. */
  reason: LossReason
  cancelTimer: () => void
}

/**
 * Sends removals. Without a connection, or on a congested one, a removal is kept and sent once more within `maxAgeMs`;
 * receivers drop later ones. A removal that does not reach the broker is counted and reported.
 */
export class Removals {
  readonly #hub: HubState
  readonly #connection: Connection
  readonly #encode: (text: string) => Uint8Array
  readonly #kept = new Map<Topic, Removal>()
  #hasLogged = false

  constructor(hub: HubState, connection: Connection, encode: (text: string) => Uint8Array) {
    this.#hub = hub
    this.#connection = connection
    this.#encode = encode
  }

  /** Sends the removal of a stream that has ended, `tMs` after its origin began. */
  add(state: StreamState, tMs: number): void {
    const { topic } = state.outbox as Outbox
    const sequence = nextSequence(state)
    const removal: Removal = { state, topic, sequence, tMs, reason: 'failed', cancelTimer: () => {} }
    // It replaces an earlier removal of the same name.
    const before = this.#kept.get(topic)
    if (before !== undefined) this.#forget(before)
    if (this.#send(removal)) return
    if (removal.reason === 'failed') this.#lose(removal, removal.reason)
    else this.#keep(removal)
  }

  /** Called when the connection is up: sends the kept removals, unless a stream of that name is open again. */
  resend(): void {
    this.#resend([...this.#kept.values()])
  }

  /** Called when the backend has given other prefixes: the kept removals are sent under a new origin. */
  renewOrigins(): void {
    for (const { state } of this.#kept.values()) renewOrigin(state)
  }

  /** Called when the hub is closed: the kept removals will not be sent. */
  close(): void {
    for (const removal of [...this.#kept.values()]) this.#giveUp(removal)
  }

  /** Returns whether the transport took the removal; otherwise the removal has the reason. */
  #send(removal: Removal): boolean {
    const { state, topic, sequence, tMs } = removal
    const frame = encodeRemoval(sidOf(originOf(state), sequence), tMs)
    const outcome = this.#connection.send(state, topic, this.#encode(frame), 0)
    if (outcome !== 'sent') removal.reason = outcome
    return outcome === 'sent'
  }

  #keep(removal: Removal): void {
    const { state, topic, reason } = removal
    const { maxAgeMs } = state.options
    const [oldest] = this.#kept.values()
    if (oldest !== undefined && this.#kept.size === MOST_KEPT) this.#giveUp(oldest)
    const waitMs = maxAgeMs === false ? Infinity : maxAgeMs
    removal.cancelTimer = after(this.#hub.environment, waitMs, () => this.#giveUp(removal), false)
    this.#kept.set(topic, removal)
    if (reason === 'congested') void this.#resendWhenSettled(removal)
  }

  /** Sends removals once more; one that is congested again, or finds no connection, is not tried a third time. */
  #resend(removals: readonly Removal[]): void {
    for (const removal of removals) {
      this.#forget(removal)
      if (this.#hub.isOpen(removal.state.name))
        this.#lose(removal, `${removal.reason}; it is open again since`)
      else if (!this.#send(removal)) this.#lose(removal, removal.reason)
    }
  }

  /** Sends a removal again once the frames in flight have ended: there is capacity then, or no connection. */
  async #resendWhenSettled(removal: Removal): Promise<void> {
    await this.#connection.confirmations.settled()
    if (this.#connection.isUp && this.#kept.get(removal.topic) === removal) this.#resend([removal])
  }

  #forget(removal: Removal): void {
    removal.cancelTimer()
    this.#kept.delete(removal.topic)
  }

  #giveUp(removal: Removal): void {
    this.#forget(removal)
    this.#lose(removal, removal.reason)
  }

  #lose({ state, reason }: Removal, why: string): void {
    state.counters.add('lostRemovals', 1)
    const message = `The removal did not reach the broker (${why}): other processes keep the stream open.`
    const place = { stream: state.name, hub: this.#hub.name }
    this.#hub.turns.run(() => this.#report(new RivuletError('LOST', message, { reason, ...place })))
  }

  /** Reports to the hub: the stream has ended, and has no listeners any more. */
  #report(error: RivuletError): void {
    if (this.#hub.report(error) || this.#hasLogged) return
    this.#hasLogged = true
    log(error)
  }
}
