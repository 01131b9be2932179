import type { Topic } from 'rivulet'
import { ScriptedTransport } from '../../support/scripted-transport.ts'
import type { FateLog } from './fate-log.ts'

/** The largest frame that it takes. */
export const MAX_FRAME_BYTES = 700

/** A transport that notes what becomes of each message. */
export class LoggedTransport extends ScriptedTransport {
  readonly #log: FateLog
  /** What no barrier has freed yet. */
  bytes = 0
  /** The most of that since it was last set. */
  mostBytes = 0
  /** Whether the last barrier was not answered in time. */
  isOverdue = false
  /** Called when the connection is gone. */
  ended = () => {}
  #flushed = 0

  constructor(log: FateLog) {
    super()
    this.#log = log
    this.capabilities = { ...this.capabilities, maxFrameBytes: () => MAX_FRAME_BYTES }
  }

  override send(topic: Topic, frame: Uint8Array | string): 'sent' | 'offline' {
    const text = typeof frame === 'string' ? frame : new TextDecoder().decode(frame)
    const { sending } = this
    const fate = sending === 'sent' ? 'inFlight' : sending === 'offline' ? 'lost.offline' : 'lost.failed'
    if (sending === 'sent') this.bytes += frame.length
    this.mostBytes = Math.max(this.mostBytes, this.bytes)
    for (const { data } of [JSON.parse(text)].flat()) if (data !== undefined) this.#log.becomes(data.n, fate)
    return super.send(topic, frame)
  }

  override flush(signal: AbortSignal): Promise<void> {
    const flush = ++this.#flushed
    const covered = this.#log.all('inFlight')
    const { bytes } = this
    const end = (fate: 'confirmed' | 'unconfirmed') => {
      if (flush !== this.#flushed) return
      this.#flushed++
      this.isOverdue = fate === 'unconfirmed'
      if (fate === 'confirmed') this.bytes -= bytes
      for (const n of covered) if (this.#log.fateOf(n) === 'inFlight') this.#log.becomes(n, fate)
    }
    const answered = super.flush(signal)
    answered.then(
      () => end(signal.aborted ? 'unconfirmed' : 'confirmed'),
      () => end('unconfirmed'),
    )
    signal.addEventListener('abort', () => end('unconfirmed'))
    return answered
  }

  override close(signal: AbortSignal): Promise<void> {
    this.#flushed++
    this.ended()
    this.bytes = 0
    this.isOverdue = false
    this.#log.turns('inFlight', 'unconfirmed')
    return super.close(signal)
  }
}
