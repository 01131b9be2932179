import type { Topic, Transport } from 'rivulet'
import { expect } from 'vitest'
import { heapUsed } from '../heap.ts'
import { within } from './waits.ts'

/** Three times as many as an adapter remembers, with names of 0.8 KB. */
const TOPICS = 25_000
const LONG = 'x'.repeat(800)

/** Sends to many topics and checks that the transport does not keep all of them in memory. */
export async function expectFewTopicsKept(transport: Transport): Promise<void> {
  const before = heapUsed()
  for (let n = 0; n < TOPICS; n++) {
    expect(transport.send(`rivulet/fleet/${n}${LONG}` as Topic, 'x')).toBe('sent')
    if (n % 1_000 === 0) await transport.flush(within())
  }
  await transport.flush(within())
  // All of their names would be 20 MB.
  expect(heapUsed() - before).toBeLessThan(10_000_000)
}
