import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import type { FaultProxy } from '../support/fault-proxy.ts'
import { FAILING_KINDS } from '../support/live.ts'
import { eventually } from './support/eventually.ts'
import type { MemberProcess } from './support/member-process.ts'
import { flows, hasHeard, type Scene, testOnEveryServer } from './support/scene.ts'
import { oldestMs, repeatsOf, type Span, within } from './support/sighting.ts'

const STREAM = 'links'
const PER_SECOND = 50
const MAX_AGE_MS = 1_000
// A message is seen a little after it was judged.
const CLOCK_SLACK_MS = 1_000

/** One behind a proxy and one that is not, each hearing what the other publishes. */
interface Pair {
  readonly proxy: FaultProxy
  readonly behind: MemberProcess
  readonly direct: MemberProcess
}

// RELIABILITY row 2.
testOnEveryServer('a handshake that stalls for 6 s lets nothing through later', async (scene) => {
  const pair = await pairOf(scene)
  const { proxy, behind } = pair
  const accepted = proxy.accepted
  const fault = await during(proxy, async () => {
    proxy.mode = 'stall'
    proxy.drop()
    await delay(6_000)
    // It gives up a dial and tries another.
    await eventually(
      'it dials again',
      () => proxy.accepted - accepted,
      (dials) => dials >= 2,
    )
  })
  expect(behind.rises).toBe(1)
  await expectNothingOf(pair, fault)
})

// RELIABILITY row 3.
testOnEveryServer(
  'a link that swallows everything is noticed, and nothing of it comes later',
  async (scene) => {
    const pair = await pairOf(scene)
    const { proxy, behind } = pair
    const fault = await during(proxy, async () => {
      proxy.mode = 'blackhole'
      await noticed(behind)
    })
    await expectNothingOf(pair, fault)
    expect((await behind.call('ledger')).unconfirmed).toBeGreaterThan(0)
  },
)

// RELIABILITY rows 3 and 4.
testOnEveryServer(
  'a link that freezes is noticed, and nothing that it held is delivered when it thaws',
  async (scene) => {
    const pair = await pairOf(scene)
    const { proxy, behind } = pair
    const fault = await during(proxy, async () => {
      proxy.mode = 'freeze'
      await noticed(behind)
      // Now everything that the frozen connection holds is too old.
      await delay(2 * MAX_AGE_MS)
    })
    await expectNothingOf(pair, fault)
    expect((await behind.call('ledger')).unconfirmed).toBeGreaterThan(0)
  },
  FAILING_KINDS,
)

// RELIABILITY row 4.
testOnEveryServer('a link that thaws before it is noticed hands over only what is fresh', async (scene) => {
  const { proxy, behind, direct } = await pairOf(scene)
  const before = await behind.call('ledger')
  proxy.mode = 'freeze'
  await delay(2 * MAX_AGE_MS)
  proxy.mode = 'pass'
  await flows(direct, behind)
  await flows(behind, direct)
  expect((await behind.call('ledger')).dropped.stale).toBeGreaterThan(before.dropped.stale)
  for (const member of [behind, direct]) {
    await member.call('stopPublishing')
    const { sightings } = await member.call('notes')
    expect(repeatsOf(sightings)).toEqual([])
    expect(oldestMs(sightings)).toBeLessThan(MAX_AGE_MS + CLOCK_SLACK_MS)
  }
})

// RELIABILITY row 3, for who sends nothing, so that no barrier is missed.
for (const mode of ['blackhole', 'freeze'] as const) {
  testOnEveryServer(`who only listens notices a link in ${mode} and joins again`, async (scene) => {
    const proxy = await scene.proxy()
    const behind = await scene.member('behind', {}, proxy)
    const direct = await scene.member('direct', {})
    await behind.call('listen', [STREAM])
    await hasHeard(behind, direct, await direct.call('publish', [STREAM]))
    proxy.mode = mode
    await noticed(behind)
    proxy.mode = 'pass'
    await isReady(behind)
    await hasHeard(behind, direct, await direct.call('publish', [STREAM]))
  })
}

const STREAMS = ['resubscribe', '__proto__', ...Array.from({ length: 40 }, (_, index) => `stream ${index}`)]
const ROUNDS = 4

// RELIABILITY rows 17 and 18.
testOnEveryServer('42 streams are joined once after 8 drops, half of them while joining', async (scene) => {
  const defaults = { limit: false, batch: false } as const
  const proxy = await scene.proxy()
  const behind = await scene.member('behind', { defaults }, proxy)
  const direct = await scene.member('direct', { defaults })
  await behind.call('listen', STREAMS)
  let published = 0
  for (let round = 0; round <= ROUNDS; round++) {
    await isReady(behind)
    const numbers = await direct.call('publish', STREAMS)
    await hasHeard(behind, direct, numbers)
    published += numbers.length
    if (round === ROUNDS) break
    await drop(proxy, behind)
    await delay(5)
    await drop(proxy, behind)
  }
  const { sightings } = await behind.call('notes')
  expect(sightings).toHaveLength(published)
  const { received, delivered } = await behind.call('ledger')
  expect({ received, delivered }).toEqual({ received: published, delivered: published })
})

/** Cuts the connection, and waits until another is being made. */
async function drop(proxy: FaultProxy, behind: MemberProcess): Promise<void> {
  const { accepted } = proxy
  proxy.drop()
  await eventually(
    'it dials',
    () => proxy.accepted,
    (count) => count > accepted,
  )
  // What it told of its status before has arrived with the answer.
  await behind.call('errors')
}

async function isReady(member: MemberProcess): Promise<void> {
  await eventually(
    'it is ready',
    () => member.isReady,
    (value) => value,
  )
}

async function pairOf(scene: Scene): Promise<Pair> {
  const options = { defaults: { limit: false, maxAgeMs: MAX_AGE_MS } } as const
  const proxy = await scene.proxy()
  const [behind, direct] = await Promise.all([
    scene.member('behind', options, proxy),
    scene.member('direct', options),
  ])
  for (const member of [behind, direct]) await member.call('listen', [STREAM])
  for (const member of [behind, direct]) await member.call('publishSteadily', [STREAM], PER_SECOND)
  await flows(behind, direct)
  await flows(direct, behind)
  return { proxy, behind, direct }
}

/** Gives the time that a fault took; the link passes again afterwards. */
async function during(proxy: FaultProxy, fault: () => Promise<void>): Promise<Span> {
  const work = fault()
  const fromMs = Date.now()
  await work
  const toMs = Date.now()
  proxy.mode = 'pass'
  return { fromMs, toMs }
}

/** Waits until the status tells of the fault. */
async function noticed({ changes }: MemberProcess): Promise<void> {
  const { length } = changes
  await eventually(
    'the status tells',
    () => changes.length > length,
    (value) => value,
  )
  expect(changes[length]?.status).toBe('down')
}

/** Expects that all flows again, and that what was published during the fault never crossed the link. */
async function expectNothingOf({ behind, direct }: Pair, fault: Span): Promise<void> {
  await flows(behind, direct)
  await flows(direct, behind)
  for (const member of [behind, direct]) {
    await member.call('stopPublishing')
    await member.call('flush')
  }
  for (const [from, to] of [
    [behind, direct],
    [direct, behind],
  ] as const) {
    const { publications, heardLocally } = await from.call('notes')
    const { sightings } = await to.call('notes')
    const published = within(publications, fault)
    expect(published.length).toBeGreaterThan(0)
    expect(within(sightings, fault)).toEqual([])
    expect(repeatsOf(sightings)).toEqual([])
    expect(heardLocally).toBe(publications.length)
  }
  const { unconfirmed, lost } = await behind.call('ledger')
  const { publications } = await behind.call('notes')
  expect(lost.offline).toBeGreaterThan(0)
  expect(unconfirmed + lost.offline).toBeGreaterThanOrEqual(within(publications, fault).length)
}
