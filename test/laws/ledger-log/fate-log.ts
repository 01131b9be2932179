import type { Ledger } from 'rivulet'
import { flatten } from '../../support/ledger-laws.ts'

/** Where an own message stands, as a transport and whoever publishes can tell: a path in the ledger, or `handed`: accepted, and not seen on the transport yet. */
type Fate =
  | 'waiting'
  | 'conflated'
  | 'inFlight'
  | 'confirmed'
  | 'unconfirmed'
  | 'handed'
  | `${'refused' | 'lost'}.${string}`

interface Own {
  readonly stream: string
  readonly key: number | undefined
  readonly bytes: number
  fate: Fate
}

const BEFORE_ACCEPTANCE = /^(waiting|conflated|refused)/

/** Follows every message by itself, and derives from that what a ledger has to be. */
export class FateLog {
  readonly #own = new Map<number, Own>()
  readonly #received: { readonly stream: string; readonly outcome: string }[] = []
  readonly #counts = new Map<string, Map<string, number>>()

  /** Somebody tries to publish message `n`. */
  asks(stream: string, n: number, bytes: number, key?: number): void {
    this.#own.set(n, { stream, key, bytes, fate: 'waiting' })
  }

  fateOf(n: number): Fate | undefined {
    return this.#own.get(n)?.fate
  }

  becomes(n: number, fate: Fate): void {
    ;(this.#own.get(n) as Own).fate = fate
  }

  /** Message `n` is kept: it takes the place of an older one of its key. */
  keeps(n: number): void {
    const { stream, key } = this.#own.get(n) as Own
    for (const [older, own] of this.#own) {
      if (older !== n && own.stream === stream && own.key === key && own.fate === 'waiting')
        own.fate = 'conflated'
    }
  }

  /** What stands so stands otherwise now, on one stream or on all. */
  turns(from: Fate, to: Fate, stream?: string): void {
    for (const n of this.all(from, stream)) this.becomes(n, to)
  }

  /** The numbers of the messages that stand so. */
  all(fate: Fate, stream?: string): number[] {
    const isMeant = (own: Own) => own.fate === fate && (stream === undefined || own.stream === stream)
    return [...this.#own].filter(([, own]) => isMeant(own)).map(([n]) => n)
  }

  bytesOf(n: number): number {
    return (this.#own.get(n) as Own).bytes
  }

  /** A message or a frame from elsewhere is `delivered`, or dropped for a reason. */
  receives(stream: string, outcome: string): void {
    this.#received.push({ stream, outcome: outcome === 'delivered' ? outcome : `dropped.${outcome}` })
  }

  /** Adds to what is neither of these, as `listenerErrors`. */
  counts(stream: string, name: string, count: number): void {
    const counts = this.#counts.get(stream) ?? new Map<string, number>()
    this.#counts.set(stream, counts.set(name, (counts.get(name) ?? 0) + count))
  }

  /** Derives every count of a stream, or of all together. */
  ledger(like: Ledger, stream?: string): Record<string, number> {
    const isMeant = (one: { readonly stream: string }) => stream === undefined || one.stream === stream
    const ledger: Record<string, number> = Object.fromEntries(
      [...flatten(like).keys()].map((name) => [name, 0]),
    )
    const add = (name: string, count = 1) => {
      ledger[name] = (ledger[name] ?? 0) + count
    }
    for (const own of [...this.#own.values()].filter(isMeant)) {
      add('attempts')
      if (!BEFORE_ACCEPTANCE.test(own.fate)) add('accepted')
      add(own.fate)
    }
    for (const { outcome } of this.#received.filter(isMeant)) {
      add('received')
      add(outcome)
    }
    for (const [name, counts] of this.#counts) {
      if (isMeant({ stream: name })) for (const [count, sum] of counts) add(count, sum)
    }
    return ledger
  }
}
