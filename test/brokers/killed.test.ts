import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import type { Broker } from '../support/brokers.ts'
import { FAILING_KINDS } from '../support/live.ts'
import { eventually } from './support/eventually.ts'
import type { MemberProcess } from './support/member-process.ts'
import { flows, getsThrough, hasHeard, type Scene, testOnEveryServer } from './support/scene.ts'
import { oldestMs, repeatsOf, type Span, within } from './support/sighting.ts'

const STREAM = 'stream'
const STREAMS = Array.from({ length: 50 }, (_, index) => `${STREAM} ${index}`)
const PER_SECOND = 500
// A gateway that was started a moment ago works 0.2 ms for a message, and has to keep up on a busy machine.
const PER_SECOND_OF_PAGES = 100
const OUTAGES = 5
const TRIES = 11
const OUTAGE_MS = 2_000
const MAX_AGE_MS = 5_000
// A message is seen a little after it was judged.
const CLOCK_SLACK_MS = 1_000

// RELIABILITY rows 1 and 17.
testOnEveryServer(
  'five outages of a broker lose what is published in them and nothing else',
  async (scene) => {
    const pair = await pairOf(scene)
    const outages: Span[] = []
    const healthy: Span[] = []
    for (let round = 0; round <= OUTAGES; round++) {
      healthy.push(await isHealthy(pair, round + 1))
      if (round < OUTAGES) outages.push(await outage(scene.broker))
    }
    for (const member of pair) {
      await member.call('stopPublishing')
      await member.call('flush')
    }
    const [one, other] = pair
    await accountsFor(one, other, outages, healthy)
    await accountsFor(other, one, outages, healthy)
  },
  FAILING_KINDS,
)

// RELIABILITY row 9.
testOnEveryServer('a hub goes on trying after ten failures, and a close ends that at once', async (scene) => {
  const patient = await scene.member('patient', {})
  const leaver = await scene.member('leaver', {})
  const other = await scene.member('other', {})
  await patient.call('listen', [STREAM])
  await scene.broker.kill()
  await eventually(
    'it has failed often',
    () => patient.call('failedAttempts'),
    (count) => count >= TRIES,
  )
  expect(patient.isReady).toBe(false)
  // It waits between two tries, so that only a close that ends the wait lets the process end by itself.
  await scene.dismiss(leaver)
  await scene.broker.start()
  await eventually(
    'both are ready',
    () => patient.isReady && other.isReady,
    (value) => value,
  )
  await getsThrough(other, patient, STREAM)
})

type Pair = readonly [MemberProcess, MemberProcess]

async function pairOf(scene: Scene): Promise<Pair> {
  const pair = await Promise.all(
    ['one', 'other'].map(async (name) => {
      const member = await scene.member(name, { defaults: { limit: false, maxAgeMs: MAX_AGE_MS } })
      await member.call('listen', STREAMS)
      return member
    }),
  )
  for (const member of pair)
    await member.call('publishSteadily', STREAMS, scene.isOverGateway ? PER_SECOND_OF_PAGES : PER_SECOND)
  return pair as unknown as Pair
}

/** Kills the broker, and gives the time in which there certainly was none. */
async function outage(broker: Broker): Promise<Span> {
  await broker.kill()
  const fromMs = Date.now()
  await delay(OUTAGE_MS)
  const toMs = Date.now()
  await broker.start()
  return { fromMs, toMs }
}

/**
 * Waits until both are ready, and expects that from that very moment on each hears all streams of the other: the
 * joins were made before. Gives the time in which nothing may be lost.
 */
async function isHealthy([one, other]: Pair, rises: number): Promise<Span> {
  const areReady = () => [one, other].every((member) => member.isReady && member.rises >= rises)
  await eventually('both are ready', areReady, (value) => value)
  // Without an outage no connection was lost.
  expect([one.rises, other.rises]).toEqual([rises, rises])
  const fromMs = Math.max(...[one, other].map(({ changes }) => changes.at(-1)?.atMs ?? 0))
  const probes = await Promise.all([one, other].map((member) => member.call('publish', STREAMS)))
  await hasHeard(other, one, probes[0] ?? [])
  await hasHeard(one, other, probes[1] ?? [])
  const toMs = Date.now()
  // What comes after it on the same connections tells that everything from before has come.
  await flows(one, other)
  await flows(other, one)
  return { fromMs, toMs }
}

/** Expects that each message of one member was delivered here, and there once, or is counted as what became of it. */
async function accountsFor(
  from: MemberProcess,
  to: MemberProcess,
  outages: readonly Span[],
  healthy: readonly Span[],
): Promise<void> {
  const { publications, heardLocally } = await from.call('notes')
  const { sightings } = await to.call('notes')
  const seen = new Set(sightings.map(({ n }) => n))
  expect(await from.call('lateJoins')).toBe(0)

  const sent = await from.call('ledger')
  const received = await to.call('ledger')

  expect(sent).toMatchObject({ attempts: publications.length, accepted: publications.length })
  expect(heardLocally).toBe(publications.length)

  const offline = publications.filter(({ status }) => status !== 'up')
  expect(offline.filter(({ n }) => seen.has(n))).toEqual([])
  expect(sent.lost.offline).toBeGreaterThanOrEqual(offline.length)
  // On a busy machine a process learns of the end of its connection late, with more in flight than that may hold.
  expect(sent.lost.failed).toBe(0)
  let lost = 0
  for (const outage of outages) {
    expect(within(sightings, outage)).toEqual([])
    const inOutage = within(publications, outage).length
    expect(inOutage).toBeGreaterThan(0)
    lost += inOutage
  }
  expect(sent.lost.offline + sent.lost.congested + sent.unconfirmed).toBeGreaterThanOrEqual(lost)

  for (const span of healthy) {
    const sentThen = within(publications, span)
    expect(sentThen.filter(({ n }) => !seen.has(n))).toEqual([])
  }
  expect(repeatsOf(sightings)).toEqual([])
  expect(received.delivered).toBe(sightings.length)
  expect(received.dropped).toMatchObject({ malformed: 0, duplicate: 0, schema: 0, rateLimited: 0 })
  expect(oldestMs(sightings)).toBeLessThan(MAX_AGE_MS + CLOCK_SLACK_MS)
}
