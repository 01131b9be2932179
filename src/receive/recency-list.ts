import type { Publisher } from './publisher.ts'

/**
 * Keeps publishers in the order of their last messages. Each refers to its neighbours: moving one after a message costs
 * a few assignments, and a list needs no memory of its own.
 */
export class RecencyList {
  oldest: Publisher | undefined
  newest: Publisher | undefined

  /** Adds a publisher, which is in no list, as the newest. */
  add(publisher: Publisher): void {
    publisher.older = this.newest
    if (this.newest === undefined) this.oldest = publisher
    else this.newest.newer = publisher
    this.newest = publisher
  }

  /** Takes a publisher out, which is in this list. */
  delete(publisher: Publisher): void {
    const { older, newer } = publisher
    if (older === undefined) this.oldest = newer
    else older.newer = newer
    if (newer === undefined) this.newest = older
    else newer.older = older
    publisher.older = undefined
    publisher.newer = undefined
  }
}
