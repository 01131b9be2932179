import { randomBytes } from 'node:crypto'
import { memoryBus } from '@rivulet/memory'
import type { Hub } from 'rivulet'
import { expect, test } from 'vitest'
import { eventually } from '../../../../test/support/live.ts'
import { ScriptedTransport } from '../../../../test/support/scripted-transport.ts'
import { frameOf, prefixesOf, prefixOf, secretOf, topicOf } from '../support/frames.ts'
import { HUB, type Scene, serve } from '../support/scene.ts'

const TOPIC = topicOf('positions')
const [ONE_KEY, OTHER_KEY] = [randomBytes(32), randomBytes(32)]

/** Publishes on the stream, and gives the prefix of the sid. */
function publish(hub: Hub, n: number): string {
  return hub.stream('positions').publish({ n }).sid.slice(2, 14)
}

/** Has a page's next connection go to another server, at the same address. */
async function move(page: Hub, here: Scene, there: Scene): Promise<void> {
  const { port } = here.server
  await here.server.stop()
  await there.server.stop()
  await eventually(() => page.status).toBe('down')
  there.server.port = port
  await there.server.start()
  await eventually(() => page.status).toBe('up')
  await page.ready()
}

test('derives the prefixes of a page from the hub, its secret and the key alone', async () => {
  const { welcomed, raw } = await serve()
  const prefixesFor = async (token: string, secret: string, hub = HUB) => {
    const page = await raw()
    page.hello({ version: 1, hub, secret, token })
    return JSON.parse((await page.next('welcome')).text).prefixes
  }
  const anns = prefixesOf('ann')
  expect(JSON.parse((await (await welcomed('ann')).next('welcome')).text).prefixes).toEqual(anns)
  expect(await prefixesFor('somebody else', secretOf('ann'))).toEqual(anns)
  expect(await prefixesFor('ann', secretOf('bob'))).toEqual(prefixesOf('bob'))
  expect(await prefixesFor('ann', secretOf('ann'), 'other')).not.toEqual(anns)
  const other = await serve({ session: () => ({ prefixKey: OTHER_KEY }) })
  const there = JSON.parse((await (await other.welcomed('ann')).next('welcome')).text).prefixes
  expect(there).toEqual(prefixesOf('ann', OTHER_KEY))
  expect(new Set([...anns, ...prefixesOf('bob'), ...there]).size).toBe(12)
})

test('ends the older connection of a page that comes back, and takes the newer one', async () => {
  const { server, welcomed } = await serve()
  const first = await welcomed('ann')
  first.topical('frame', TOPIC, frameOf(prefixOf('ann'), 1))
  await first.barrier()
  const second = await welcomed('ann')
  expect(await first.closed).toMatchObject({ code: 4104 })
  // The end of the older one has not taken the prefixes from the newer.
  second.topical('frame', TOPIC, frameOf(prefixOf('ann'), 2))
  await second.barrier()
  expect(second.all('fault')).toEqual([])
  expect(server.pages.counts).toMatchObject({ pages: 1, received: 2 })
})

test('tells a page that took over of an outage upstream, as any other', async () => {
  const upstream = new ScriptedTransport()
  const { welcomed, server } = await serve({ upstream })
  const first = await welcomed('ann')
  const second = await welcomed('ann')
  await first.closed
  await second.join(TOPIC)
  upstream.host.receive(TOPIC as never, frameOf('feedfacecafe'))
  await second.next('frame')
  upstream.host.down(new Error('gone'))
  expect(await second.closed).toMatchObject({ code: 4100 })
  const third = await welcomed('ann')
  await third.join(TOPIC)
  upstream.host.receive(TOPIC as never, frameOf('feedfacecafe', 2))
  await third.next('frame')
  expect(server.pages.counts).toMatchObject({ pages: 1, joins: 1 })
})

test.each([
  ['with the key of the first one it stays the publisher that it was', ONE_KEY, true],
  ['with another key it begins anew, and nothing is refused', OTHER_KEY, false],
  ['without a key it begins anew, and nothing is refused', undefined, false],
])('a page that moves to another server: %s', async (_, key, isSame) => {
  const bus = memoryBus()
  const here = await serve({ upstream: bus.transport(), session: () => ({ prefixKey: ONE_KEY }) })
  const there = await serve({ upstream: bus.transport(), session: () => ({ prefixKey: key }) })
  const heard: unknown[] = []
  await there.hub.stream('positions').subscribe(({ data }) => heard.push(data)).ready
  // So that either server hears the page's sids from the other one.
  for (const scene of [here, there]) await (await scene.welcomed('bob')).join(TOPIC)
  const ann = await here.page('ann')
  const before = publish(ann, 1)
  await eventually(() => heard).toEqual([{ n: 1 }])
  await ann.flush()
  await move(ann, here, there)
  const after = publish(ann, 2)
  await ann.flush()
  await eventually(() => heard).toEqual([{ n: 1 }, { n: 2 }])
  expect(after === before).toBe(isSame)
  expect(ann.ledger()).toMatchObject({ accepted: 2, confirmed: 2 })
  expect(here.errors.filter((error) => error.includes('refused'))).toEqual([])
})

test('counts what the server refuses as unconfirmed on its stream, and on no other', async () => {
  const { page, errors } = await serve({ session: () => ({ may: (_, name) => name !== 'denied' }) })
  const ann = await page('ann')
  for (let n = 0; n < 5; n++) {
    ann.stream('denied').publish({ n })
    ann.stream('allowed').publish({ n })
    await ann.flush()
  }
  expect(ann.stream('denied').ledger()).toMatchObject({ accepted: 5, confirmed: 0, unconfirmed: 5 })
  expect(ann.stream('allowed').ledger()).toMatchObject({ accepted: 5, confirmed: 5, unconfirmed: 0 })
  const told = errors.filter((error) => error.includes('no permission to publish'))
  expect(told).toHaveLength(5)
})

test('counts what upstream refuses of a page as unconfirmed, in the page too', async () => {
  const upstream = new ScriptedTransport()
  const { page } = await serve({ upstream })
  const [ann, bob] = [await page('ann'), await page('bob')]
  upstream.answers.flush = 'hang'
  for (const hub of [ann, bob]) hub.stream('allowed').publish({ n: 1 })
  ann.stream('denied').publish({ n: 1 })
  const flushed = [ann, bob].map((hub) => hub.flush())
  await eventually(() => upstream.flushes.length).toBeGreaterThan(0)
  await eventually(() => upstream.sent.length).toBe(3)
  upstream.host.error(topicOf('denied') as never, new Error('a word of the broker'))
  const answering = setInterval(() => upstream.flushes.forEach((flush) => void flush.resolve()), 10)
  await Promise.all(flushed)
  clearInterval(answering)
  expect(ann.stream('denied').ledger()).toMatchObject({ confirmed: 0, unconfirmed: 1 })
  for (const hub of [ann, bob]) expect(hub.stream('allowed').ledger()).toMatchObject({ confirmed: 1 })
})

test('lets a page that comes back again and again send no more than two that stay', async () => {
  const { server, welcomed } = await serve({ maxMessagesPerSecond: 1 })
  const publish = async (identity: string) => {
    const page = await welcomed(identity)
    for (let n = 1; n <= 3; n++) page.topical('frame', topicOf(`s${n}`), frameOf(prefixOf(identity), n))
    await page.barrier()
    return page.all('fault').length
  }
  const startMs = performance.now()
  for (let n = 0; n < 20; n++) await publish('ann')
  // One at once, one of tolerance, both twice since two connections overlap, and what leaks meanwhile.
  const most = 4 + Math.ceil((1.001 * (performance.now() - startMs)) / 1000)
  expect(server.pages.counts.received).toBeLessThanOrEqual(most)
  // Others are not held back by it.
  expect(await publish('bob')).toBe(1)
})

test.each([
  ['too short', new Uint8Array(31)],
  ['none', 'key' as never],
])('tells a page to come back later when the key is %s', async (_, prefixKey) => {
  const faults: unknown[] = []
  const log = { debug() {}, info() {}, warn: ({ fault }: { fault?: unknown }) => faults.push(fault) }
  const { raw } = await serve({ session: () => ({ prefixKey }), log })
  const page = await raw()
  page.hello({ version: 1, hub: HUB, secret: secretOf('ann'), token: 'ann' })
  expect(await page.closed).toMatchObject({ code: 4105 })
  expect(faults).toEqual([new Error('The prefixKey of a session has 32 bytes or more.')])
})
