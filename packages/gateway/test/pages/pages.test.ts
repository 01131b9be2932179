import { memoryBus } from '@rivulet/memory'
import type { Hub } from 'rivulet'
import { expect, test } from 'vitest'
import { eventually } from '../../../../test/support/live.ts'
import { serve } from '../support/scene.ts'

/** Subscribes, and gives what is heard, once the join is confirmed. */
async function listen(hub: Hub, name = 'positions') {
  const heard: { data: unknown; sid: string; isLocal: boolean }[] = []
  await hub.stream(name).subscribe(({ data, sid, isLocal }) => heard.push({ data, sid, isLocal })).ready
  return heard
}

test.each([
  ['alone', () => undefined],
  ['over a bus', () => memoryBus().transport()],
])('pages and the service exchange messages, each once: a relay %s', async (_, upstream) => {
  const { hub, page, server } = await serve({ upstream: upstream() })
  const hubs = [hub, await page('ann'), await page('bob')]
  const heard = await Promise.all(hubs.map((one) => listen(one)))
  const sids = hubs.map((one, from) => one.stream('positions').publish({ from }).sid)
  for (const [at, messages] of heard.entries()) {
    await eventually(() => messages.length).toBe(3)
    const expected = sids.map((sid, from) => ({ data: { from }, sid, isLocal: from === at }))
    expect([...messages].sort((a, b) => Number(a.sid > b.sid) - 0.5)).toEqual(
      expected.sort((a, b) => Number(a.sid > b.sid) - 0.5),
    )
  }
  await Promise.all(hubs.map((one) => one.flush()))
  const ledgers = hubs.map((one) => one.ledger())
  expect(ledgers.map(({ confirmed, received, delivered }) => ({ confirmed, received, delivered }))).toEqual(
    hubs.map(() => ({ confirmed: 1, received: 2, delivered: 2 })),
  )
  expect(server.pages.counts).toEqual({ pages: 2, joins: 2, received: 2, sent: 4, dropped: 0, refused: 0 })
})

test('a stream that a page may remove ends for the others too', async () => {
  const { hub, page } = await serve()
  const ann = await page('ann')
  await listen(hub)
  const removed: boolean[] = []
  hub.stream('positions').on('removed', ({ isLocal }) => removed.push(isLocal))
  ann.stream('positions').remove()
  await eventually(() => removed).toEqual([false])
})

test('a page receives nothing after its leave; the last leave is sent upstream', async () => {
  const bus = memoryBus()
  const { page, server } = await serve({ upstream: bus.transport() })
  const ann = await page('ann')
  const bob = await page('bob')
  const stream = ann.stream('positions')
  const subscription = stream.subscribe(() => {})
  await subscription.ready
  expect(server.pages.counts.joins).toBe(1)
  subscription.unsubscribe()
  await eventually(() => server.pages.counts.joins).toBe(0)
  bob.stream('positions').publish({ n: 1 })
  await bob.flush()
  expect(ann.ledger().received).toBe(0)
  expect(server.pages.counts.sent).toBe(0)
})

test('the counts return to nothing when the pages have gone', async () => {
  const { page, server } = await serve()
  const pages = await Promise.all(['ann', 'bob'].map((identity) => page(identity)))
  await Promise.all(pages.map((hub) => listen(hub)))
  expect(server.pages.counts).toMatchObject({ pages: 2, joins: 2 })
  await Promise.all(pages.map((hub) => hub.close()))
  await eventually(() => server.pages.counts).toMatchObject({ pages: 0, joins: 0 })
  await eventually(() => server.connections).toBe(0)
})
