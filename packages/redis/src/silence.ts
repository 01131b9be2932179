import type { Connection } from './connection.ts'

// Parts of the time that the core gives a barrier: a shard is given up before the core gives up all of them.
const PATIENCE = 0.6
const INTERVAL = 0.1
/** A later answer indicates a stalled or congested link, where others may be as late. A satellite link is faster. */
const PROMPT = 0.45
/** A timer later than this indicates a suspended process, which has not read the answers. */
const SUSPENDED_MS = 200

/**
 * Ends the connections of shards that do not answer while another one does. When none answers the core notices the
 * outage itself.
 */
export class Silence {
  readonly #barrierMs: number
  readonly #connections: () => Connection[]
  #timer: NodeJS.Timeout | undefined
  #dueMs = 0
  /** Connections with an unanswered ping. */
  readonly #asked = new WeakSet<Connection>()
  /** Time of each connection's last prompt answer. */
  readonly #promptMs = new WeakMap<Connection, number>()

  constructor(barrierMs: number, connections: () => Connection[]) {
    this.#barrierMs = barrierMs
    this.#connections = connections
  }

  /** Checks from now on, until no shard owes an answer. */
  watch(): void {
    if (this.#timer !== undefined) return
    const waitMs = this.#barrierMs * INTERVAL
    this.#dueMs = performance.now() + waitMs
    this.#timer = setTimeout(() => this.#check(), waitMs)
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #check(): void {
    this.#timer = undefined
    const nowMs = performance.now()
    const connections = this.#connections()
    if (nowMs - this.#dueMs > SUSPENDED_MS) for (const each of connections) each.restartSilence(nowMs)
    const silent = connections.filter((each) => each.silentMs(nowMs) >= PATIENCE * this.#barrierMs)
    const isWitnessed = connections.some((each) => nowMs - this.#promptOf(each) <= PROMPT * this.#barrierMs)
    if (isWitnessed) for (const each of silent) each.end(new Error('the server does not answer, others do'))
    if (!connections.some((each) => each.isOwing)) return
    for (const each of this.#connections()) void this.#ask(each, nowMs)
    this.watch()
  }

  #promptOf(connection: Connection): number {
    return this.#promptMs.get(connection) ?? -Infinity
  }

  async #ask(connection: Connection, askedMs: number): Promise<void> {
    if (this.#asked.has(connection)) return
    this.#asked.add(connection)
    try {
      await connection.ping()
      const nowMs = performance.now()
      if (nowMs - askedMs <= PROMPT * this.#barrierMs) this.#promptMs.set(connection, nowMs)
    } catch {
      // It has ended, and reports that itself.
    } finally {
      this.#asked.delete(connection)
    }
  }
}
