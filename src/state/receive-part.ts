import { LeakyBucket } from './leaky-bucket.ts'
import type { DropReason } from './ledger.ts'
import type { LimitOptions } from './options.ts'

/** The part of a stream's state that `receive/` writes. */
export interface ReceivePart {
  /** Whether messages of other processes arrive. */
  isJoined: boolean
  /** Whether the broker refused the last attempt to join. */
  isRefused: boolean
  /** Received messages that were dropped in this tick, by reason, while there are listeners for them. */
  drops: Map<DropReason, number> | undefined
  /** Whether an error has reported that an option of this process keeps messages out. */
  hasReportedDrop: boolean
  /** Whether an error has reported that a message has a newer format than this edition reads. */
  hasReportedNewerFormat: boolean
}

/**
 * Makes the bucket of a receiver: for `publishers` of the limit, with a second of tolerance, since networks bunch
 * messages that were published evenly. Clocks that run apart by up to 1 000 ppm do not use up the second: it admits
 * every message that the publishers' own buckets admitted.
 */
export function receivingBucket({ ratePerSecond, burst, publishers }: Required<LimitOptions>): LeakyBucket {
  return new LeakyBucket(1.001 * publishers * ratePerSecond, publishers * (burst + ratePerSecond))
}

/** The part of the burst that messages of other processes may fill, so that they cannot keep our own out. */
export function remoteCeilingOf(burst: number): number {
  return burst - Math.max(1, burst / 4)
}
