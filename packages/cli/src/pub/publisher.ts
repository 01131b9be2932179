import { setTimeout as delay } from 'node:timers/promises'
import { type Hub, type Ledger, type LimitOptions, RivuletError, type Stream } from 'rivulet'
import { CommandError, EXIT } from '../base/exit-code.ts'
import type { Output } from '../base/output.ts'
import { warnFirst } from '../base/warn-first.ts'
import type { SourceText } from './message-source.ts'

/** Options of publishing. */
export interface PublisherOptions {
  /** Messages a second, instead of the stream's own limit. */
  readonly ratePerSecond: number | undefined
  /** The member by whose value only the newest message is kept while there is no capacity. */
  readonly latestBy: string | undefined
}

/** Publishes texts on a stream, one after the other, and warns of refusals. */
export class Publisher {
  readonly #stream: Stream
  readonly #warn: (text: string) => void
  readonly #latestBy: string | undefined
  /** The number of texts that were no JSON, which the ledger does not count. */
  unreadable = 0

  constructor(hub: Hub, name: string, output: Output, { ratePerSecond, latestBy }: PublisherOptions) {
    this.#warn = warnFirst(output, 'refusals')
    this.#latestBy = latestBy
    this.#stream = hub.stream(name, {
      ...(ratePerSecond !== undefined && { limit: limitOf(ratePerSecond) }),
    })
  }

  /** Publishes a text as soon as there is capacity. Rejects with the signal's reason when it aborts. */
  async publish({ text, place }: SourceText, signal: AbortSignal): Promise<void> {
    try {
      const data = parse(text)
      if (this.#latestBy === undefined) await this.#stream.publishWhenReady(data, { signal })
      else this.#stream.publishLatest(data, { key: keyOf(data, this.#latestBy) })
    } catch (error) {
      if (!RivuletError.is(error) && !(error instanceof CommandError)) throw error
      if (error instanceof CommandError) this.unreadable += 1
      this.#warn(place === '' ? error.message : `${place}: ${error.message}`)
    }
  }

  /** Waits until queued messages are published, and resolves to the ledger. An abort refuses queued messages. */
  async finish(hub: Hub, signal: AbortSignal): Promise<Ledger> {
    while (this.#stream.ledger().waiting > 0 && !signal.aborted) {
      const { retryAfterMs } = this.#stream.budget()
      await delay(Math.max(1, retryAfterMs), undefined, { signal }).catch(() => {})
    }
    // Refuses the queued attempts; accepted messages are sent.
    this.#stream.close()
    await hub.flush()
    return this.#stream.ledger()
  }
}

/** Returns a limit with capacity for 0.1 s, so that messages are spread evenly and a busy machine keeps the rate. */
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
  // Objects would be compared by identity, and so never be equal.
  return typeof key === 'object' ? JSON.stringify(key) : key
}
