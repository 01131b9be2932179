import type { BusCounts } from '@rivulet/memory'
import { expect } from 'vitest'

/** Asserts the law of the counts, and that no frame is in flight. */
export function expectBalance(counts: BusCounts): void {
  const { sent, duplicated, delivered, lost, partitioned, cut, left, inFlight } = counts
  expect(sent + duplicated).toBe(delivered + lost + partitioned + cut + left)
  expect(inFlight).toBe(0)
}
