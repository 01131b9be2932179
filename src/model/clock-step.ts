/**
 * Returns by how much a monotonic clock and the date may come apart before a machine has slept, or one of them was set,
 * in milliseconds. A second, or half of what a message may be late; clocks that are read one after the other on a busy
 * machine differ by less than a tenth of a second.
 */
export function clockStepMs(maxAgeMs: number | false): number {
  return maxAgeMs === false ? Infinity : Math.max(100, Math.min(1_000, maxAgeMs / 2))
}
