import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { eventually } from './support/eventually.ts'
import { getsThrough, hasHeard, testOnEveryServer } from './support/scene.ts'
import { oldestMs, repeatsOf } from './support/sighting.ts'

const STREAM = 'flat out'
const WARM_UP_MS = 2_000
const STOP_MS = 10_000
const MAX_GROWTH_BYTES = 64 * 1024 * 1024
// A hub may have 8 MiB in flight. This is more at once, since a busy machine publishes less than that one by one in the
// 4 s in which the hub takes the link for alive.
const BURST = 2_500
const PADDING = 3_500
const MAX_AGE_MS = 5_000
// A message is seen a little after it was judged.
const CLOCK_SLACK_MS = 1_000

// RELIABILITY row 33.
testOnEveryServer(
  'a broker that is stopped for 10 s costs who publishes flat out little memory',
  async (scene) => {
    const defaults = { limit: false, maxAgeMs: MAX_AGE_MS } as const
    const [publisher, listener] = await Promise.all([
      scene.member('publisher', { defaults, padding: PADDING }),
      scene.member('listener', { defaults }),
    ])
    await listener.call('listen', [STREAM])
    await hasHeard(listener, publisher, await publisher.call('publish', [STREAM]))

    await publisher.call('publishFlatOut', STREAM)
    await delay(WARM_UP_MS)
    await scene.broker.stop()
    await publisher.call('watchMemory')
    await publisher.call('publish', [STREAM], BURST)
    await delay(STOP_MS)
    const growth = await publisher.call('memoryGrowth')
    await publisher.call('stopPublishing')
    scene.broker.cont()

    expect(growth).toBeLessThan(MAX_GROWTH_BYTES)
    await getsThrough(publisher, listener, STREAM)
    await publisher.call('flush')
    const { unconfirmed, lost } = await publisher.call('ledger')
    // Of what a page sends a megabyte waits outside of the system's buffers, and the rest is offline. Whether the hub has
    // 8 MiB in flight before depends on the size of those buffers.
    if (!scene.isOverGateway) expect(lost.congested).toBeGreaterThan(0)
    expect(lost.offline).toBeGreaterThan(0)
    expect(unconfirmed).toBeGreaterThan(0)
    const { sightings } = await listener.call('notes')
    expect(repeatsOf(sightings)).toEqual([])
    expect(oldestMs(sightings)).toBeLessThan(MAX_AGE_MS + CLOCK_SLACK_MS)
  },
)

const COUNT = 100

// RELIABILITY row 32.
testOnEveryServer(
  'what a broker was handed that was stopped and then killed is unconfirmed',
  async (scene) => {
    const publisher = await scene.member('publisher', { defaults: { limit: false } })
    const listener = await scene.member('listener', {})
    await listener.call('listen', [STREAM])
    await hasHeard(listener, publisher, await publisher.call('publish', [STREAM]))
    await publisher.call('flush')
    const before = await publisher.call('ledger')
    await scene.broker.stop()
    const numbers = await publisher.call('publish', [STREAM], COUNT)
    await scene.broker.kill()
    await publisher.call('flush')
    expect(await publisher.call('ledger')).toMatchObject({
      confirmed: before.confirmed,
      unconfirmed: before.unconfirmed + COUNT,
    })
    await scene.broker.start()
    await eventually(
      'both are ready',
      () => publisher.isReady && listener.isReady,
      (value) => value,
    )
    await getsThrough(publisher, listener, STREAM)
    expect(await listener.call('missing', 'publisher', numbers)).toEqual(numbers)
  },
)
