import { describe, expect, test } from 'vitest'
import { eventually } from '../../../../test/support/live.ts'
import { hubNameOf } from '../../../twilio/src/registry/stream-record.ts'
import { ApiClient, BASIC } from '../support/api-client.ts'
import { browserToken, pageHub, readyPage, servedPages } from '../support/served-pages.ts'
import { listenAt } from '../support/sse-client.ts'

const token = () => browserToken()

describe('a page', () => {
  test('hears other pages, the hub and itself, and tells them apart', async () => {
    const { url, hub } = await servedPages()
    const hubs = { one: await readyPage(url, { token }), other: await readyPage(url, { token }), hub }
    const heard: Record<string, unknown[]> = {}
    for (const [name, each] of Object.entries(hubs)) {
      const messages: unknown[] = []
      heard[name] = messages
      await each.stream('a').subscribe(({ data, isLocal, sid }) => messages.push({ data, isLocal, sid }))
        .ready
    }
    const sids: string[] = []
    for (const [name, each] of Object.entries(hubs)) sids.push(each.stream('a').publish({ name }).sid)
    for (const [name] of Object.entries(hubs)) {
      await eventually(() => heard[name]).toHaveLength(3)
      const expected = Object.keys(hubs).map((publisher, index) => {
        return { data: { name: publisher }, isLocal: publisher === name, sid: sids[index] }
      })
      expect(heard[name]).toEqual(expect.arrayContaining(expected))
    }
  })

  test('hears what is published over REST, and listeners over REST hear it', async () => {
    const { url } = await servedPages()
    const api = new ApiClient(url)
    await api.create({ UniqueName: 'orders/1 é' })
    const listener = await listenAt(api.messagesOf('orders/1 é'), BASIC)
    const page = await readyPage(url, { token })
    const stream = page.stream('orders/1 é')
    const heard: unknown[] = []
    await stream.subscribe(({ data, isLocal, sid }) => heard.push({ data, isLocal, sid })).ready
    const { sid } = stream.publish({ from: 'page' })
    await listener.count(1)
    const published = await api.publish('orders/1 é', { from: 'REST' })
    await eventually(() => heard).toEqual([
      { data: { from: 'page' }, isLocal: true, sid },
      { data: { from: 'REST' }, isLocal: false, sid: published.body.sid },
    ])
    await listener.count(2)
    expect(listener.events).toMatchObject([
      { event: 'messagePublished', id: sid, data: { from: 'page' } },
      { event: 'messagePublished', id: published.body.sid, data: { from: 'REST' } },
    ])
  })

  test('hears every publisher of a stream when all sides know how many there are', async () => {
    const { url, gateway } = await servedPages({ limits: { pages: { publishers: 6 } } })
    const limit = { publishers: 6 }
    const page = await readyPage(url, { token })
    const heard: unknown[] = []
    await page.stream('a', { limit }).subscribe(({ data }) => heard.push(data)).ready
    const publishers = await Promise.all(Array.from({ length: 6 }, () => readyPage(url, { token })))
    // Each at its own limit: 30 at once.
    for (const publisher of publishers) {
      for (let n = 0; n < 30; n++) publisher.stream('a', { limit }).publish({ n })
    }
    await eventually(() => heard.length).toBe(180)
    expect(gateway.counts).toMatchObject({ dropped: 0, refused: 0 })
  })

  test('joins an anonymous stream by the name that it has in the hub', async () => {
    const { url } = await servedPages()
    const api = new ApiClient(url)
    const { sid } = (await api.create()).body
    const name = hubNameOf({ uniqueName: null, sid } as Parameters<typeof hubNameOf>[0])
    const page = await readyPage(url, { token })
    const heard: unknown[] = []
    await page.stream(name).subscribe(({ data }) => heard.push(data)).ready
    await api.publish(sid, { n: 1 })
    await eventually(() => heard).toEqual([{ n: 1 }])
  })

  test('uses streams that were not created over REST, which REST does not know', async () => {
    const { url } = await servedPages()
    const [one, other] = [await readyPage(url, { token }), await readyPage(url, { token })]
    const heard: unknown[] = []
    await one.stream('free').subscribe(({ data }) => heard.push(data)).ready
    other.stream('free').publish({ n: 1 })
    await eventually(() => heard).toEqual([{ n: 1 }])
    expect((await new ApiClient(url).fetch('free')).status).toBe(404)
  })

  test('is told when a stream is removed over REST, and not when it may be used again', async () => {
    const { url } = await servedPages()
    const api = new ApiClient(url)
    await api.create({ UniqueName: 'a' })
    const page = await readyPage(url, { token })
    const stream = page.stream('a')
    const removals: unknown[] = []
    stream.on('removed', (removal) => removals.push(removal))
    await stream.subscribe(() => {}).ready
    expect((await api.remove('a')).status).toBe(204)
    await eventually(() => removals).toEqual([{ reason: 'removed', isLocal: false }])
    const heard: unknown[] = []
    await page.stream('a').subscribe(({ data }) => heard.push(data)).ready
    await api.create({ UniqueName: 'a' })
    await api.publish('a', { n: 2 })
    await eventually(() => heard).toEqual([{ n: 2 }])
  })

  test('removes a stream for all hubs and listeners, while REST keeps its record', async () => {
    const { url, hub } = await servedPages()
    const api = new ApiClient(url)
    await api.create({ UniqueName: 'a' })
    const listener = await listenAt(api.messagesOf('a'), BASIC)
    const removals: unknown[] = []
    hub.stream('a').on('removed', (removal) => removals.push(removal))
    const page = await readyPage(url, { token })
    page.stream('a').remove()
    await listener.ended
    expect(listener.events).toMatchObject([{ event: 'removed', data: { reason: 'removed' } }])
    expect(removals).toEqual([{ reason: 'removed', isLocal: false }])
    expect((await api.fetch('a')).status).toBe(200)
  })

  test('meets pages of its own service only, by the name of the hub', async () => {
    const { url } = await servedPages({}, { name: 'fleet' })
    const page = await readyPage(url, { token, name: 'fleet' })
    expect(page.status).toBe('up')
    const refused = pageHub(url, { token })
    await expect(refused.ready()).rejects.toMatchObject({ code: 'TRANSPORT_FAILED' })
  })
})

test('a gateway tells how many pages there are', async () => {
  const { url, gateway } = await servedPages()
  const health = async () => (await fetch(`${url}/healthz`)).json()
  expect(await health()).toEqual({ status: 'up', registry: 'up', pages: 0 })
  const page = await readyPage(url, { token })
  await page.stream('a').subscribe(() => {}).ready
  await page.stream('b').subscribe(() => {}).ready
  page.stream('a').publish({ n: 1 })
  await page.flush()
  expect(gateway.counts).toMatchObject({ pages: 1, joins: 2, received: 1, refused: 0, connections: 0 })
  expect(await health()).toEqual({ status: 'up', registry: 'up', pages: 1 })
  await page.close()
  await eventually(() => gateway.counts).toMatchObject({ pages: 0, joins: 0 })
})
