import type { Capabilities, Topic, Transport, TransportHost } from 'rivulet'

/** How an asynchronous call is answered: at once, with that error, or only by hand (and deaf to its signal). */
export type Answer = 'resolve' | 'hang' | Error

/** One call of the core, to be settled by hand when the answer is `hang`. */
export interface Call {
  readonly topic: Topic | undefined
  readonly signal: AbortSignal
  resolve(): void
  reject(cause: Error): void
}

export interface Sent {
  readonly topic: Topic
  readonly text: string
}

/** A hub that opens so often without a pause opens for ever: it is left hanging, or the test would never end. */
const MOST_OPENS = 10_000

/** A transport that does nothing by itself: a test says what the broker answers and what it sends. */
export class ScriptedTransport implements Transport {
  readonly name = 'scripted'
  capabilities: Capabilities = {
    scope: 'network',
    echoes: false,
    ordered: true,
    watch: true,
    maxFrameBytes: () => Infinity,
  }
  /** What the next calls are answered with. */
  readonly answers: Record<'open' | 'join' | 'watch' | 'flush' | 'close', Answer> = {
    open: 'resolve',
    join: 'resolve',
    watch: 'resolve',
    flush: 'resolve',
    close: 'resolve',
  }
  sending: 'sent' | 'offline' | Error = 'sent'
  readonly hosts: TransportHost[] = []
  readonly opens: Call[] = []
  readonly joins: Call[] = []
  readonly watches: Call[] = []
  readonly flushes: Call[] = []
  readonly closes: Call[] = []
  readonly left: Topic[] = []
  readonly sent: Sent[] = []
  /** The names of the calls, in their order. */
  readonly log: string[] = []

  open(host: TransportHost, signal: AbortSignal): Promise<void> {
    this.hosts.push(host)
    return this.#answer('open', this.opens, signal, undefined)
  }

  send(topic: Topic, frame: Uint8Array | string): 'sent' | 'offline' {
    this.log.push('send')
    if (this.sending instanceof Error) throw this.sending
    if (this.sending === 'sent') {
      this.sent.push({ topic, text: typeof frame === 'string' ? frame : new TextDecoder().decode(frame) })
    }
    return this.sending
  }

  join(topic: Topic, signal: AbortSignal): Promise<void> {
    return this.#answer('join', this.joins, signal, topic)
  }

  leave(topic: Topic): void {
    this.log.push('leave')
    this.left.push(topic)
  }

  watch(hub: string, signal: AbortSignal): Promise<void> {
    return this.#answer('watch', this.watches, signal, hub as Topic)
  }

  flush(signal: AbortSignal): Promise<void> {
    return this.#answer('flush', this.flushes, signal, undefined)
  }

  close(signal: AbortSignal): Promise<void> {
    return this.#answer('close', this.closes, signal, undefined)
  }

  /** The host of the last open. */
  get host(): TransportHost {
    return this.hosts.at(-1) as TransportHost
  }

  /** The frames handed over, parsed. */
  get frames(): unknown[] {
    return this.sent.map(({ text }) => JSON.parse(text))
  }

  #answer(
    name: 'open' | 'join' | 'watch' | 'flush' | 'close',
    calls: Call[],
    signal: AbortSignal,
    topic: Topic | undefined,
  ): Promise<void> {
    this.log.push(name)
    const answer = this.opens.length > MOST_OPENS ? 'hang' : this.answers[name]
    return new Promise<void>((resolve, reject) => {
      calls.push({ topic, signal, resolve, reject })
      if (answer === 'resolve') resolve()
      else if (answer instanceof Error) reject(answer)
    })
  }
}
