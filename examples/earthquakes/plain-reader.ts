import type { Hub } from 'rivulet'
import type { Quake } from './quake.ts'
import { joined, openQuakes, type Reader } from './reader.ts'

const BIG_MAGNITUDE = 6

/** A subscriber that is called with every message, and reports the big ones as they come. */
export async function openPlainReader(hub: Hub, onBigQuake: (quake: Quake) => void): Promise<Reader> {
  const stream = openQuakes(hub)
  let count = 0
  stream.subscribe(({ data }) => {
    count += 1
    if (data.properties.mag >= BIG_MAGNITUDE) onBigQuake(data)
  })
  await joined(stream)
  return {
    label: 'plain',
    hub,
    seen: () => count,
    finished: Promise.resolve(),
    story: () => `subscribe: called ${count} times`,
  }
}
