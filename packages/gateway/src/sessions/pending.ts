/** A connection whose client is not authenticated yet. */
export interface PendingConnection {
  /** Ends the connection at once; it then calls `delete`. */
  evict(): void
}

/** The pending connections of a server, the oldest first. Each costs memory before any token is checked. */
export class PendingConnections {
  readonly #mostConnections: number
  readonly #connections = new Set<PendingConnection>()

  constructor(mostConnections: number) {
    this.#mostConnections = mostConnections
  }

  /** Adds a connection, and evicts the oldest one when there are as many as there may be. */
  add(connection: PendingConnection): void {
    // Not the new one: a client that opens many connections and sends nothing would keep all others out.
    const [oldest] = this.#connections.size >= this.#mostConnections ? this.#connections : []
    oldest?.evict()
    this.#connections.add(connection)
  }

  /** Takes out a connection that is authenticated, or over. */
  delete(connection: PendingConnection): void {
    this.#connections.delete(connection)
  }
}
