/** A connection, as far as the gateway needs to know it. */
export interface ClientSocket {
  /** Whether the connection is over. */
  readonly destroyed: boolean
  /** The client's address. */
  readonly remoteAddress?: string | undefined
  /** Adds a listener for the end of the connection. */
  once(event: 'close', listener: () => void): unknown
  /** Takes that listener out. */
  off(event: 'close', listener: () => void): unknown
}
