import { describe, expect, test } from 'vitest'
import { startNats } from '../../../../test/support/brokers.ts'
import { ending, eventually, openLive, transportOf } from '../../../../test/support/live.ts'
import { openTab, originOfTabs, setOffline, useChromium } from '../support/chromium.ts'
import { pageScript } from '../support/page-script.ts'
import { browserToken, pageUrlOf, servedPages } from '../support/served-pages.ts'
import { Tab } from '../support/tab.ts'

useChromium(await pageScript())

/** Serves a gateway to the tabs, over a NATS server on which a service listens too. */
async function start(port = 0) {
  const broker = await ending(startNats())
  const service = await openLive(broker.url)
  const upstream = await transportOf(broker.url)
  const served = await servedPages({ corsOrigins: [originOfTabs()] }, { upstream, port })
  return { ...served, broker, service }
}

/** Collects what a hub of this process hears. */
async function listening(hub: Awaited<ReturnType<typeof openLive>>, name: string): Promise<unknown[]> {
  const heard: unknown[] = []
  await hub.stream(name).subscribe(({ data, isLocal, sid }) => heard.push({ data, isLocal, sid })).ready
  return heard
}

describe('tabs in Chromium', () => {
  test('exchange messages with each other and a service on NATS, each once', async () => {
    const { url, service, gateway } = await start()
    const [here, there] = [await Tab.open(url), await Tab.open(url)]
    for (const tab of [here, there]) await tab.listen('positions')
    const heard = await listening(service, 'positions')
    const sids = {
      here: await here.publish('positions', { from: 'here' }),
      there: await there.publish('positions', { from: 'there' }),
      service: service.stream('positions').publish({ from: 'service' }).sid,
    }
    const seenBy = (own: string) =>
      Object.entries(sids).map(([from, sid]) => ({ data: { from }, isLocal: from === own, sid }))
    await eventually(() => here.heard('positions')).toHaveLength(3)
    await eventually(() => there.heard('positions')).toHaveLength(3)
    await eventually(() => heard).toHaveLength(3)
    expect(await here.heard('positions')).toEqual(expect.arrayContaining(seenBy('here')))
    expect(await there.heard('positions')).toEqual(expect.arrayContaining(seenBy('there')))
    expect(heard).toEqual(expect.arrayContaining(seenBy('service')))

    // Nothing comes twice, and each end accounts for it.
    for (const tab of [here, there]) await tab.flush()
    for (const ledger of [await here.ledger(), await there.ledger(), service.ledger()]) {
      expect(ledger).toMatchObject({ attempts: 1, confirmed: 1, received: 2, delivered: 2, missed: 0 })
    }
    expect(gateway.counts).toMatchObject({ pages: 2, joins: 2, received: 2, refused: 0, dropped: 0 })
  })

  test('lose and count messages published offline, and receive again when back online', async () => {
    const { url, service, gateway } = await start()
    const tab = await Tab.open(url)
    await tab.listen('a')
    await setOffline(true)
    await eventually(() => tab.statuses()).toContain('down')
    await tab.publish('a', { n: 1 })
    await eventually(() => gateway.counts.pages).toBe(0)
    service.stream('a').publish({ n: 2 })
    await setOffline(false)
    await eventually(async () => (await tab.statuses()).at(-1)).toBe('up')
    const heard = await listening(service, 'a')
    await eventually(() => gateway.counts).toMatchObject({ pages: 1, joins: 1 })
    await tab.publish('a', { n: 3 })
    service.stream('a').publish({ n: 4 })
    const values = async () => (await tab.heard('a')).map(({ data }) => (data as { n: number }).n)
    await eventually(async () => (await values()).sort()).toEqual([1, 3, 4])
    await eventually(() => heard.length).toBe(2)
    await tab.flush()
    expect(await tab.ledger()).toMatchObject({ accepted: 2, confirmed: 1, lost: { offline: 1 }, received: 1 })
  })

  test('come back to a gateway that was started anew, as the publishers that they were', async () => {
    const { url, server, broker, service, hub } = await start()
    const [here, there] = [await Tab.open(url), await Tab.open(url)]
    for (const tab of [here, there]) await tab.listen('a')
    const before = await here.publish('a', { n: 1 })
    await eventually(() => there.heard('a')).toHaveLength(1)
    await here.flush()
    await server.close()
    await hub.close()
    for (const tab of [here, there]) await eventually(() => tab.statuses()).toContain('down')
    const upstream = await transportOf(broker.url)
    const { gateway } = await servedPages({ corsOrigins: [originOfTabs()] }, { upstream, port: server.port })
    await eventually(() => gateway.counts).toMatchObject({ pages: 2, joins: 2 })
    const heard = await listening(service, 'a')
    const after = await here.publish('a', { n: 2 })
    expect(after.slice(0, 18)).toBe(before.slice(0, 18))
    await eventually(() => heard).toEqual([{ data: { n: 2 }, isLocal: false, sid: after }])
    await eventually(() => there.heard('a')).toHaveLength(2)
    await here.flush()
    expect(await here.ledger()).toMatchObject({ accepted: 2, confirmed: 2, missed: 0 })
    expect(await there.ledger()).toMatchObject({ received: 2, delivered: 2, missed: 0 })
  })

  test('stay connected beyond the end of their tokens, which they renew', async () => {
    const { url, gateway } = await start()
    const tab = await Tab.open(url, { token: () => browserToken({ expiresInSeconds: 6 }) })
    await tab.listen('a')
    // The third one is asked for when half of the second one’s life is over, and so after the end of the first.
    await eventually(() => tab.tokens).toBeGreaterThanOrEqual(3)
    await tab.publish('a', { n: 1 })
    await tab.flush()
    expect(await tab.statuses()).toEqual(['up'])
    expect(gateway.counts).toMatchObject({ pages: 1, received: 1, refused: 0 })
    expect(await tab.ledger()).toMatchObject({ confirmed: 1 })
  })

  test('that are closed while they publish leave nothing behind', async () => {
    const { url, gateway, service } = await start()
    const [here, there] = [await Tab.open(url), await Tab.open(url)]
    for (const tab of [here, there]) await tab.listen('a')
    const heard = await listening(service, 'a')
    await here.flood('a')
    await eventually(() => heard.length).toBeGreaterThan(10)
    await here.page.close()
    await eventually(() => gateway.counts).toMatchObject({ pages: 1, joins: 1 })
    await there.publish('a', { last: true })
    await eventually(() => heard).toContainEqual(expect.objectContaining({ data: { last: true } }))
    const { missed, dropped } = service.ledger()
    expect([missed, dropped.duplicate, dropped.malformed]).toEqual([0, 0, 0])
  })

  test('of an origin that is not listed are refused before there is a WebSocket', async () => {
    const { url, gateway } = await servedPages()
    const page = await openTab()
    const outcome = (target: string) =>
      new Promise((resolve) => {
        const socket = new WebSocket(target)
        socket.onopen = () => resolve('open')
        socket.onclose = ({ code }) => resolve(code)
      })
    // What browsers say of a connection that never was (RFC 6455, 7.1.5).
    expect(await page.evaluate(outcome, pageUrlOf(url))).toBe(1006)
    expect(gateway.counts.pages).toBe(0)
  })
})
