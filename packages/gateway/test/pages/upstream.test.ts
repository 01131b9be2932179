import { expect, test } from 'vitest'
import { startNats } from '../../../../test/support/brokers.ts'
import { ending, eventually, openLive, transportOf } from '../../../../test/support/live.ts'
import { browserToken, pageHub, readyPage, servedPages } from '../support/served-pages.ts'

const token = () => browserToken()

test('pages are told while the broker is away, and nothing of that time comes later', async () => {
  const broker = await ending(startNats())
  const { url, gateway } = await servedPages({}, { upstream: await transportOf(broker.url) })
  const [here, there] = [await readyPage(url, { token }), await readyPage(url, { token })]
  const heard: unknown[] = []
  await there.stream('a').subscribe(({ data }) => heard.push(data)).ready
  here.stream('a').publish({ n: 1 })
  await here.flush()
  await broker.kill()
  await eventually(() => [here.status, there.status]).toEqual(['down', 'down'])
  expect((await fetch(`${url}/healthz`)).status).toBe(503)
  here.stream('a').publish({ n: 2 })
  // A page that comes now is let in once the broker is back.
  const late = pageHub(url, { token })
  await broker.start()
  await Promise.all([here.ready(), there.ready(), late.ready()])
  const service = await openLive(broker.url)
  service.stream('a').publish({ n: 3 })
  late.stream('a').publish({ n: 4 })
  await eventually(() => heard).toHaveLength(3)
  expect(heard).toEqual(expect.arrayContaining([{ n: 1 }, { n: 3 }, { n: 4 }]))
  expect(here.ledger()).toMatchObject({ accepted: 2, confirmed: 1, lost: { offline: 1 } })
  expect(gateway.counts).toMatchObject({ pages: 3, joins: 1 })
})
