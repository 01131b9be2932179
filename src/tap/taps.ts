import type { PlatformSignal } from '../base/platform-signal.ts'
import type { Confirmations } from '../connection/confirmations.ts'
import type { JoinChange } from '../connection/joins.ts'
import { Counters } from '../state/ledger.ts'
import { DEFAULT_OPTIONS } from '../state/options.ts'
import { type HubState, StreamState } from '../state/stream-state.ts'
import { Tap, type TapListener } from './tap.ts'

/** The taps of a hub: the first one makes the hub watch all topics, the last one ends that. */
export class Taps {
  readonly #confirmations: Confirmations
  /** Represents all streams of the hub. Counted apart: taps are no subscribers of a stream. */
  readonly #everything: StreamState

  constructor(hub: HubState, confirmations: Confirmations) {
    this.#confirmations = confirmations
    this.#everything = new StreamState('', hub, DEFAULT_OPTIONS, new Counters())
  }

  open(listener: TapListener, signal: PlatformSignal | undefined): Tap {
    return new Tap(this.#everything, this.#confirmations, listener).enter(ignore, signal)
  }

  /** Receives a frame of any topic of the hub. */
  receive(topic: string, frame: Uint8Array | string): void {
    for (const tap of this.#open) tap.receive(topic, frame)
  }

  /** Receives a change of the watch. */
  joinChanged(change: JoinChange): void {
    for (const tap of this.#open) tap.joinChanged(change)
  }

  /** Ends all taps. */
  close(): void {
    for (const tap of this.#open) tap.unsubscribe()
  }

  get #open(): Tap[] {
    return this.#everything.subscribers.filter((subscriber) => subscriber instanceof Tap)
  }
}

function ignore(): void {}
