import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { eventually } from './support/eventually.ts'
import { flows, testOnEveryEndpoint } from './support/scene.ts'
import { within } from './support/sighting.ts'

const STREAM = 'first contact'
const PER_SECOND = 50
const OUTAGE_MS = 8_000

// RELIABILITY rows 3 and 4. A receiver cannot judge the age of the first message of a publisher that it never heard:
// the publisher has to see to it that nothing old leaves.
testOnEveryEndpoint('a publisher whose link fails takes back what it has not got through', async (scene) => {
  const proxy = await scene.proxy()
  const publisher = await scene.member('publisher', { defaults: { limit: false } }, proxy)
  const receiver = await scene.member('receiver', { defaults: { limit: false } })
  await receiver.call('listen', [STREAM])
  const fromMs = Date.now()
  proxy.mode = 'unplug'
  await publisher.call('publishSteadily', [STREAM], PER_SECOND)
  await eventually(
    'the publisher gives the connection up',
    () => publisher.changes.at(-1)?.status === 'down',
    (value) => value,
  )
  await delay(Math.max(0, fromMs + OUTAGE_MS - Date.now()))
  const fault = { fromMs, toMs: Date.now() }
  proxy.mode = 'pass'
  await flows(publisher, receiver)
  await publisher.call('stopPublishing')
  await publisher.call('flush')
  const { sightings } = await receiver.call('notes')
  expect(within(sightings, fault)).toEqual([])
  const { publications } = await publisher.call('notes')
  const { unconfirmed, lost } = await publisher.call('ledger')
  expect(unconfirmed).toBeGreaterThan(0)
  expect(unconfirmed + lost.offline).toBeGreaterThanOrEqual(within(publications, fault).length)
})
