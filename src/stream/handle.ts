import { makeDisposable } from '../base/disposable.ts'
import { errorOf } from '../errors/report.ts'
import type { Snapshot } from '../message/snapshot-type.ts'
import type { Handles, LifetimePart } from '../state/lifetime-part.ts'
import type { StreamState } from '../state/stream-state.ts'
import { endStream } from './ending.ts'
import { Stream } from './stream.ts'

/**
 * Shares a stream between parts of a program that do not know of each other: the stream lives until the last of its
 * handles is released. Returned by `hub.acquire`; `using` releases it at the end of a block.
 */
// biome-ignore lint/suspicious/noExplicitAny: as of a stream
export class StreamHandle<In extends object = any, Out = Snapshot<In>> {
  declare [Symbol.dispose]: () => void
  readonly #stream: Stream<In, Out>
  readonly #state: StreamState
  readonly #handles: Handles
  #isReleased = false

  /** Made by the hub. */
  constructor(stream: Stream<In, Out>) {
    this.#stream = stream
    const state: StreamState & LifetimePart = Stream.insideOf(stream)
    state.handles ??= { count: 0, endsWithLast: false }
    this.#state = state
    this.#handles = state.handles
    this.#handles.count++
  }

  /** The stream. Throws `STREAM_CLOSED` once the handle is released. */
  get stream(): Stream<In, Out> {
    if (!this.#isReleased) return this.#stream
    const message = 'The handle is released; get another one with hub.acquire(name).'
    throw errorOf(this.#state, 'STREAM_CLOSED', message)
  }

  /** Whether `release` was called. The stream may have ended before: see `stream.closed`. */
  get released(): boolean {
    return this.#isReleased
  }

  /** Releases the handle; the last one ends the stream, unless `hub.stream` returned it, too. Any number of times. */
  release(): void {
    if (this.#isReleased) return
    this.#isReleased = true
    if (--this.#handles.count > 0) return
    if (this.#handles.endsWithLast) endStream(this.#state, 'released')
    else this.#state.idle?.used()
  }
}

makeDisposable(StreamHandle.prototype, 'dispose', 'release')
