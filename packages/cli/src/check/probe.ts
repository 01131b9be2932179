import { once } from 'node:events'
import { loadTransport, type Topic, type Transport, type TransportHost } from 'rivulet'
import { readTopic } from 'rivulet/adapter'
import { CommandError } from '../base/exit-code.ts'

/** Time limit of the broker for one step. The core's is shorter. */
const STEP_MS = 5000

/** A transport without a hub, with a record of its calls to the host. */
export class Probe {
  readonly transport: Transport
  readonly #hub: string
  readonly #signal: AbortSignal
  readonly #events = new EventTarget()
  /** Topics of the frames received, by joins and by the watch. */
  readonly received: string[] = []
  readonly watched: string[] = []
  /** The broker's refusals, and its reason for ending the connection. */
  readonly errors: Error[] = []

  /** `signal` aborts every step. */
  constructor(transport: Transport, hub: string, signal: AbortSignal) {
    this.transport = transport
    this.#hub = hub
    this.#signal = signal
  }

  /** Connects to the broker. */
  static async open(urls: readonly string[], hub: string, signal: AbortSignal): Promise<Probe> {
    const probe = new Probe(await loadTransport(urls), hub, signal)
    await probe.transport.open(probe.#host(), probe.step())
    return probe
  }

  /** Makes a signal for one step. */
  step(): AbortSignal {
    return AbortSignal.any([this.#signal, AbortSignal.timeout(STEP_MS)])
  }

  /** Waits until a condition is met, at most for a step; resolves to whether it is. */
  async until(isMet: () => boolean): Promise<boolean> {
    const signal = this.step()
    while (!isMet() && !signal.aborted) await eventOf(this.#events, signal)
    return isMet()
  }

  async close(): Promise<void> {
    await this.transport.close(AbortSignal.timeout(STEP_MS))
  }

  #host(): TransportHost {
    const noted = (list: unknown[], item: unknown) => {
      list.push(item)
      this.#events.dispatchEvent(new Event('change'))
    }
    return {
      hub: this.#hub,
      receive: (topic) => noted(this.received, topic),
      watched: (topic) => noted(this.watched, topic),
      down: (cause) => noted(this.errors, cause ?? new Error('The broker ended the connection.')),
      error: (_, cause) => noted(this.errors, cause),
      left: (_, cause) => noted(this.errors, cause),
    }
  }
}

async function eventOf(events: EventTarget, signal: AbortSignal): Promise<void> {
  await once(events, 'change', { signal }).catch(() => {})
}

const BARE = /[.!~*'()]/g

/** Makes the topic of a stream. Throws when the name is invalid. */
export function topicOf(hub: string, stream: string): Topic {
  const encoded = encodeURIComponent(stream).replace(BARE, (character) => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase()}`
  })
  const topic = readTopic(`rivulet/${hub}/${encoded}`)
  if (topic === undefined) throw new CommandError(`"${stream}" is no name for a stream.`)
  return topic
}
