/** One message of a frame from elsewhere, as a test makes it. `by` is one of its publishers, or the hub itself. */
export interface Entry {
  readonly by: number | 'self'
  readonly sequence: number
  /** How much later than right away it comes, by its own word. */
  readonly delayMs: number
  readonly flaw: 'none' | 'noObject' | 'large' | 'bad'
}

export interface Options {
  /** Messages that may be received in all, since the rate is 0. */
  readonly room: number
  readonly maxAgeMs: number
}

const NO_GAPS = { missed: 0, missedAway: 0, reordered: 0 }

/** What came of one publisher on one topic: every number, in lists. */
class Publisher {
  readonly numbers: number[] = []
  /** Whether a message was not stale. Scenes are shorter than the minute after which that ends. */
  isHeard = false
  leastDelayMs: number | undefined
  /** The numbers of each join from its first one ahead on. */
  readonly joins = new Map<number, number[]>()
  reordered = 0
  /** For each join: between which numbers messages were missed while away before it, and how many of those came late. */
  readonly #away: { after: number; before: number; came: number }[] = []

  get missedAway(): number {
    return this.#away.reduce(
      (sum, { after, before, came }) => sum + Math.max(0, before - after - 1) - came,
      0,
    )
  }

  get missed(): number {
    let missed = 0
    for (const numbers of this.joins.values())
      missed += Math.max(...numbers) - (numbers[0] as number) + 1 - numbers.length
    return missed
  }

  isStale(delayMs: number, maxAgeMs: number, isOverdue: boolean): boolean {
    if (this.leastDelayMs === undefined && isOverdue) return true
    this.leastDelayMs ??= delayMs
    if (delayMs - this.leastDelayMs > maxAgeMs) return true
    this.leastDelayMs = Math.min(this.leastDelayMs, delayMs)
    return false
  }

  /** Numbers of joins from `comparableFrom` on can be compared: the program has not left since. */
  accept(sequence: number, join: number, comparableFrom: number): void {
    const isBehind = this.numbers.some((number) => number > sequence)
    const numbers = this.joins.get(join)
    if (isBehind) this.reordered++
    const isComparable = ([...this.joins.keys()].at(-1) ?? -1) >= comparableFrom
    const range = isComparable ? this.#away.at(-1) : undefined
    if (!isBehind && numbers === undefined) {
      const after = isComparable ? Math.max(...this.numbers) : sequence
      this.#away.push({ after, before: sequence, came: 0 })
      this.joins.set(join, [sequence])
    } else if (numbers !== undefined && sequence > (numbers[0] as number)) numbers.push(sequence)
    else if (range !== undefined && sequence > range.after && sequence < range.before) range.came++
    this.numbers.push(sequence)
  }
}

/** Tells from lists of all that came on one topic where each message of the next frame has to end. */
export class ReceivedLog {
  join = 0
  #comparableFrom = 0
  /** Since the stream began. */
  room: number
  readonly #options: Options
  readonly #publishers = new Map<number, Publisher>()
  #garbage = { proven: 0, others: 0 }
  #before = NO_GAPS

  constructor(options: Options) {
    this.#options = options
    this.room = options.room
  }

  /** A new stream takes the topic over: what is known of the publishers stays. */
  begin(): void {
    this.#before = NO_GAPS
    this.#before = this.gaps()
    this.room = this.#options.room
    this.#garbage = { proven: 0, others: 0 }
  }

  /** Since the stream began. */
  gaps(): typeof NO_GAPS {
    const [before, all] = [this.#before, [...this.#publishers.values()]]
    const sum = (name: keyof typeof NO_GAPS) => all.reduce((sum, one) => sum + one[name], -before[name])
    return { missed: sum('missed'), missedAway: sum('missedAway'), reordered: sum('reordered') }
  }

  /** The program leaves the topic. */
  leave(): void {
    this.join++
    this.#comparableFrom = this.join
  }

  /** Takes a frame, garbage when it has no entries, and returns what becomes of it. */
  take(entries: readonly Entry[], isOverdue: boolean): string[] {
    // A frame that this library did not write is not judged by its last bytes.
    const last = entries[0]?.flaw === 'noObject' ? undefined : entries.at(-1)
    const publisher = typeof last?.by === 'number' ? this.#publishers.get(last.by) : undefined
    if (last?.by === 'self') return ['echo']
    if (last !== undefined && publisher?.isHeard && publisher.numbers.includes(last.sequence))
      return ['duplicate']
    const kind = (publisher?.numbers.length ?? 0) >= 3 ? 'proven' : 'others'
    if (this.room <= 0 || this.#garbage[kind] >= this.#options.room) return ['rateLimited']
    const outcomes = entries.map((entry) => this.#takeOne(entry, isOverdue))
    if (!outcomes.some((outcome) => outcome === 'delivered' || outcome === 'rateLimited'))
      this.#garbage[kind]++
    return entries.length === 0 ? ['malformed'] : outcomes
  }

  #takeOne({ by, sequence, delayMs, flaw }: Entry, isOverdue: boolean): string {
    if (flaw === 'noObject') return 'malformed'
    if (by === 'self') return 'echo'
    const publisher = this.#publishers.get(by) ?? new Publisher()
    this.#publishers.set(by, publisher)
    if (publisher.numbers.includes(sequence)) return 'duplicate'
    const isStale = publisher.isStale(delayMs, this.#options.maxAgeMs, isOverdue)
    publisher.accept(sequence, this.join, this.#comparableFrom)
    if (isStale) return 'stale'
    publisher.isHeard = true
    if (flaw === 'large') return 'tooLarge'
    if (flaw === 'bad') return 'schema'
    if (this.room <= 0) return 'rateLimited'
    this.room--
    return 'delivered'
  }
}
