import { setTimeout as delay } from 'node:timers/promises'
import type { Ledger, StreamOptions } from 'rivulet'
import { expect } from 'vitest'
import type { MemberProcess } from './support/member-process.ts'
import { flows, getsThrough, hasHeard, type Scene, testOnEveryEndpoint } from './support/scene.ts'
import { oldestMs, repeatsOf } from './support/sighting.ts'

const STREAM = 'slow'
const MAX_AGE_MS = 1_000
const NO_LIMIT = { limit: false, maxAgeMs: MAX_AGE_MS } as const
// A frame is judged as a whole; who blocks long hears the last of its messages much later.
const UNBATCHED = { ...NO_LIMIT, batch: false } as const
const STOPPED_PER_SECOND = 6_000
const STOPPED_MS = 5_000
// A gateway ends a page that it has not heard for 6 s.
const STOPPED_PAGE_MS = 3_000
// A message is seen a little after it was judged: those of one frame are judged together.
const SLACK_MS = 2_000
// On a busy machine the publisher itself lags by seconds, steadily enough to be believed; a stop is longer than that.
const LAGGING_SLACK_MS = 3_500

// RELIABILITY row 36.
testOnEveryEndpoint(
  'a subscriber that blocks for 5 ms a message delays its own process only',
  async (scene) => {
    await slowsOnlyItself(scene, 5, 3_000, NO_LIMIT)
  },
)

testOnEveryEndpoint(
  'a subscriber that blocks for 50 ms a message delays its own process only',
  async (scene) => {
    await slowsOnlyItself(scene, 50, 200, UNBATCHED)
  },
)

// RELIABILITY row 35.
testOnEveryEndpoint('an iterator whose reader has stopped holds no more than its buffer', async (scene) => {
  const [reader, publisher] = await membersOf(scene, { defaults: { limit: false, maxAgeMs: false } })
  await reader.call('iterate', STREAM, 16)
  await reader.call('listen', [STREAM])
  const numbers: number[] = []
  // All at once is more than the megabyte that may wait in a page's socket.
  for (let part = 0; part < 10; part++) {
    numbers.push(...(await publisher.call('publish', [STREAM], 1_000)))
    await publisher.call('flush')
  }
  await hasHeard(reader, publisher, numbers)
  expect(await reader.call('held', STREAM)).toEqual(numbers.slice(-16))
  expect((await reader.call('ledger')).iteratorDrops).toBe(10_000 - 16)
})

// RELIABILITY rows 4 and 34.
testOnEveryEndpoint(
  'a process that is stopped for seconds counts the gap and hears nothing stale',
  async (scene) => {
    const [sleeper, publisher] = await membersOf(scene, { defaults: UNBATCHED, padding: 1_000 })
    await sleeper.call('listen', [STREAM])
    const stoppedMs = scene.isOverGateway ? STOPPED_PAGE_MS : STOPPED_MS
    let tries = 1
    // A machine that is busy enough makes the stop so long that the connection does not survive it, and the gap is
    // then one between two joins.
    while (!(await survivesStop(sleeper, publisher, stoppedMs))) expect(tries++).toBeLessThan(5)
    const { sightings } = await sleeper.call('notes')
    const slackMs = scene.isOverGateway ? SLACK_MS : LAGGING_SLACK_MS
    expect(repeatsOf(sightings)).toEqual([])
    expect(oldestMs(sightings)).toBeLessThan(MAX_AGE_MS + slackMs)
  },
)

/** Publishes a lot while a process is stopped; if its connection survives, expects all to be accounted for. */
async function survivesStop(
  sleeper: MemberProcess,
  publisher: MemberProcess,
  stoppedMs: number,
): Promise<boolean> {
  await getsThrough(publisher, sleeper, STREAM)
  const before = await sleeper.call('ledger')
  const { accepted } = await publisher.call('ledger')
  const { rises } = sleeper
  sleeper.signal('SIGSTOP')
  await publisher.call('publishSteadily', [STREAM], STOPPED_PER_SECOND)
  await delay(stoppedMs)
  await publisher.call('stopPublishing')
  await publisher.call('flush')
  sleeper.signal('SIGCONT')
  await getsThrough(publisher, sleeper, STREAM)
  const after = await sleeper.call('ledger')
  if (sleeper.rises > rises) return false
  expect(accountedFor(after) - accountedFor(before)).toBe(
    (await publisher.call('ledger')).accepted - accepted,
  )
  expect(after.missed + after.dropped.stale).toBeGreaterThan(before.missed + before.dropped.stale)
  return true
}

// RELIABILITY row 16.
testOnEveryEndpoint(
  'a process whose event loop is blocked for 10 s comes back and hears nothing stale',
  async (scene) => {
    const [sleeper, publisher] = await membersOf(scene)
    await sleeper.call('listen', [STREAM])
    await publisher.call('publishSteadily', [STREAM], 50)
    await flows(publisher, sleeper)
    await sleeper.call('block', 10_000)
    await flows(publisher, sleeper)
    await publisher.call('stopPublishing')
    await getsThrough(publisher, sleeper, STREAM)
    const { sightings } = await sleeper.call('notes')
    expect(repeatsOf(sightings)).toEqual([])
    expect(oldestMs(sightings)).toBeLessThan(MAX_AGE_MS + SLACK_MS)
  },
)

async function membersOf(
  scene: Scene,
  options: Parameters<Scene['member']>[1] = { defaults: NO_LIMIT },
): Promise<[MemberProcess, MemberProcess]> {
  return Promise.all([scene.member('sleeper', options), scene.member('publisher', options)])
}

/** Publishes a burst; a quick subscriber hears all of it while a slow one loses what it can't keep up with. */
async function slowsOnlyItself(
  scene: Scene,
  blockMs: number,
  count: number,
  defaults: StreamOptions,
): Promise<void> {
  const [slow, publisher] = await membersOf(scene, { defaults })
  const quick = await scene.member('quick', { defaults: { limit: false } })
  await slow.call('listen', [STREAM], { blockMs })
  await quick.call('listen', [STREAM])
  const first = await publisher.call('publish', [STREAM])
  await hasHeard(slow, publisher, first)
  const numbers = await publisher.call('publish', [STREAM], count)
  await hasHeard(quick, publisher, [...first, ...numbers])
  await publisher.call('flush')
  // A busy machine may answer a barrier too late.
  const { confirmed, unconfirmed } = await publisher.call('ledger')
  expect(confirmed + unconfirmed).toBe(count + 1)
  expect(await quick.call('ledger')).toMatchObject({ received: count + 1, delivered: count + 1, missed: 0 })

  await accountsForAll(slow, publisher)
  const { missed, dropped } = await slow.call('ledger')
  expect(missed + dropped.stale).toBeGreaterThan(0)
}

/** Expects every message of a publisher to be counted, as heard, too old or missed, and none to be stale. */
async function accountsForAll(listener: MemberProcess, publisher: MemberProcess): Promise<void> {
  await getsThrough(publisher, listener, STREAM)
  const ledger = await listener.call('ledger')
  const { accepted } = await publisher.call('ledger')
  expect({ sum: accountedFor(ledger), rises: listener.rises }).toEqual({ sum: accepted, rises: 1 })
  const { sightings } = await listener.call('notes')
  expect(sightings).toHaveLength(ledger.delivered)
  expect(repeatsOf(sightings)).toEqual([])
  expect(oldestMs(sightings)).toBeLessThan(MAX_AGE_MS + SLACK_MS)
}

function accountedFor({ delivered, dropped, missed }: Ledger): number {
  return delivered + dropped.stale + missed
}
