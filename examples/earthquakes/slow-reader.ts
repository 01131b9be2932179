import { setTimeout as sleep } from 'node:timers/promises'
import type { Hub } from 'rivulet'
import { joined, openQuakes, type Reader } from './reader.ts'

const BUFFER = 64

/** A `for await` loop that takes `pauseMs` for each message; its bounded buffer gives up the oldest ones. */
export async function openSlowReader(hub: Hub, pauseMs: number): Promise<Reader> {
  const stream = openQuakes(hub)
  let count = 0
  const messages = stream.iterate({ buffer: BUFFER, overflow: 'dropOldest' })
  const finished = readSlowly(messages, async () => {
    count += 1
    // What the buffer still holds when the hub closes is read without a pause.
    if (hub.status !== 'closed') await sleep(pauseMs)
  })
  await joined(stream)
  const dropped = () => stream.ledger().iteratorDrops
  return {
    label: 'slow',
    hub,
    seen: () => count + dropped(),
    finished,
    story: () => `iterate: read ${count}, its buffer of ${BUFFER} gave up ${dropped()} older ones`,
  }
}

async function readSlowly(messages: AsyncIterable<unknown>, onRead: () => Promise<void>): Promise<void> {
  for await (const _ of messages) await onRead()
}
