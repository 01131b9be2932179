/**
 * A rate that refuses nothing, since a bench publishes millions a second. Bucket and clock run for every message as
 * with any other limit.
 */
export const HIGH_LIMIT = { ratePerSecond: 1e9, burst: 1e9 }

export const DEFAULT_MAX_BYTES = 4_096
const LARGEST_MAX_BYTES = 65_536

/** Returns the default cap, or the largest for messages that the default would refuse. */
export function maxBytesFor(bytes) {
  return bytes <= DEFAULT_MAX_BYTES ? DEFAULT_MAX_BYTES : LARGEST_MAX_BYTES
}
