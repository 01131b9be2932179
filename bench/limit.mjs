/** A limit at work on every publish, and so high that it refuses nothing. */
export const HIGH_LIMIT = { ratePerSecond: 1e9, burst: 1e9 }
