import type { Topic, Transport } from 'rivulet'

/** A place to connect to, as an adapter's contract file hands it to the suite. */
export interface ContractBackend {
  /** Makes one more transport to this backend, not open yet. */
  transport(): Transport

  /**
   * Sends one frame from elsewhere with a client of its own, and resolves when it has certainly left. Elsewhere is the
   * nearest place that the scope reaches: another thread if `'host'` means threads, else another process. A transport
   * of scope `'process'` sends from another process as well as it can: the frame must not be received.
   */
  elsewhere(topic: Topic, frame: string): Promise<void>

  /** Takes the backend away, as a crash would: connections break and no new one is taken until `up`. */
  down(): Promise<void>

  /** Brings the backend back at the same place. Resolves when it takes connections. */
  up(): Promise<void>

  /** Frees everything; the suite has closed the transports before. */
  close(): Promise<void>
}
