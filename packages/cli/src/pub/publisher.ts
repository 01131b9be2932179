import { setTimeout as delay } from 'node:timers/promises'
import { type Hub, type Ledger, type LimitOptions, RivuletError, type Stream } from 'rivulet'
import { CommandError, EXIT } from '../base/exit-code.ts'
import type { Output } from '../base/output.ts'
import { warnFirst } from '../base/warn-first.ts'
import type { SourceText } from './message-source.ts'

/** How messages are published. */
export interface PublisherOptions {
  /** Messages a second, in place of the stream's own limit. */
  readonly ratePerSecond: number | undefined
  /** The member by which only the newest message is kept while there is no room. */
  readonly latestBy: string | undefined
}

/** Publishes texts on a stream, one after the other, and tells what is refused. */
export class Publisher {
  readonly #stream: Stream
  readonly #tell: (text: string) => void
  readonly #latestBy: string | undefined
  /** Texts that were no JSON, which the ledger does not know. */
  unreadable = 0

  constructor(hub: Hub, name: string, output: Output, { ratePerSecond, latestBy }: PublisherOptions) {
    this.#tell = warnFirst(output, 'refusals')
    this.#latestBy = latestBy
    this.#stream = hub.stream(name, {
      ...(ratePerSecond !== undefined && { limit: limitOf(ratePerSecond) }),
    })
  }

  /** Publishes a text as soon as there is room for it. Rejects with the signal's reason when it aborts. */
  async publish({ text, place }: SourceText, signal: AbortSignal): Promise<void> {
    try {
      const data = parse(text)
      if (this.#latestBy === undefined) await this.#stream.publishWhenReady(data, { signal })
      else this.#stream.publishLatest(data, { key: keyOf(data, this.#latestBy) })
    } catch (error) {
      if (!RivuletError.is(error) && !(error instanceof CommandError)) throw error
      if (error instanceof CommandError) this.unreadable += 1
      this.#tell(place === '' ? error.message : `${place}: ${error.message}`)
    }
  }

  /** Waits until what waits for room has been published, and resolves to the ledger. An abort gives up what waits. */
  async finish(hub: Hub, signal: AbortSignal): Promise<Ledger> {
    while (this.#stream.ledger().waiting > 0 && !signal.aborted) {
      const { retryAfterMs } = this.#stream.budget()
      await delay(Math.max(1, retryAfterMs), undefined, { signal }).catch(() => {})
    }
    // It refuses the attempts that still wait; accepted messages go out.
    this.#stream.close()
    await hub.flush()
    return this.#stream.ledger()
  }
}

/** Room for a tenth of a second, so that messages go out evenly and a busy machine still keeps the rate. */
export function limitOf(ratePerSecond: number): LimitOptions {
  return { ratePerSecond, burst: Math.max(1, Math.ceil(ratePerSecond / 10)) }
}

function parse(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new CommandError('The message is not JSON.', EXIT.refused, cause)
  }
}

function keyOf(data: Record<string, unknown>, name: string): unknown {
  const key = data?.[name]
  // Objects would be keys by identity, and so never equal.
  return typeof key === 'object' ? JSON.stringify(key) : key
}
