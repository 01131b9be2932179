import { memoryBus } from '@rivulet/memory'
import { mqtt } from '@rivulet/mqtt'
import { nats } from '@rivulet/nats'
import type { Hub } from 'rivulet'
import { describe, expect, test } from 'vitest'
import { startMosquitto, startNats } from '../../../../../test/support/brokers.ts'
import { ending, eventually, makeLive } from '../../../../../test/support/live.ts'
import { ScriptedTransport } from '../../../../../test/support/scripted-transport.ts'
import { frameOf, prefix, prefixesOf, prefixOf, removalOf, secretOf, topicOf } from '../../support/frames.ts'
import { HUB, serve } from '../../support/scene.ts'

const TOPIC = topicOf('positions')
const MINE = prefix('a')
const EVES = prefixOf('eve')

/** Subscribes without a limit, and gives the numbers that are heard. */
async function listen(hub: Hub, name = 'positions'): Promise<number[]> {
  const heard: number[] = []
  const stream = hub.stream<{ n: number }>(name, { limit: false })
  await stream.subscribe(({ data }) => heard.push(data.n)).ready
  return heard
}

describe('a broker upstream that is killed and restarted', () => {
  test('disconnects the pages, and loses messages published meanwhile as offline only', async () => {
    const broker = await ending(startNats())
    const upstream = nats({ servers: new URL(broker.url).host })
    const { hub, page } = await serve({ upstream })
    const service = makeLive({ transport: nats({ servers: new URL(broker.url).host }), name: HUB })
    service.on('error', () => {})
    const [ann, bob] = [await page('ann'), await page('bob')]
    const hubs = [hub, service, ann, bob]
    await Promise.all(hubs.map((one) => one.ready()))
    const heard = await Promise.all(hubs.map((one) => listen(one)))
    publish(ann, 1)
    for (const numbers of heard) await eventually(() => numbers).toEqual([1])

    await broker.kill()
    for (const one of hubs) await eventually(() => one.status).toBe('down')
    publish(ann, 2)
    await ann.flush()
    expect(ann.stream('positions').ledger().lost.offline).toBe(1)
    await broker.restart()
    for (const one of hubs) await eventually(() => one.status).toBe('up')
    await Promise.all(hubs.map((one) => one.ready()))
    publish(ann, 3)
    publish(service, 4)
    for (const [at, numbers] of heard.entries()) {
      await eventually(() => [...numbers].sort()).toEqual(at === 2 ? [1, 2, 3, 4] : [1, 3, 4])
    }
    await Promise.all(hubs.map((one) => one.flush()))
    expect(ann.ledger()).toMatchObject({ confirmed: 2, lost: { offline: 1 }, unconfirmed: 0 })
    for (const one of [hub, service, bob]) expect(one.ledger().dropped.duplicate).toBe(0)
  })

  test('leaves the pages a gap, with what a publisher lost or sent before they were back', async () => {
    const broker = await ending(startNats())
    const { page } = await serve({ upstream: nats({ servers: new URL(broker.url).host }) })
    const service = makeLive({ transport: nats({ servers: new URL(broker.url).host }), name: HUB })
    service.on('error', () => {})
    const ann = await page('ann')
    await service.ready()
    const heard = await listen(ann)
    const gaps: { missed: number; sinceMs: number }[] = []
    ann.stream('positions', { limit: false }).on('gap', (gap) => gaps.push(gap))
    const beforeMs = Date.now()
    publish(service, 1)
    await eventually(() => heard).toEqual([1])
    expect(gaps).toEqual([])

    await broker.kill()
    for (const one of [service, ann]) await eventually(() => one.status).toBe('down')
    const downMs = Date.now()
    for (const n of [2, 3]) publish(service, n)
    await broker.restart()
    // The page is back, and has its topic again.
    await eventually(() => gaps.map(({ missed }) => missed)).toEqual([0])
    await service.ready()
    publish(service, 4)
    await eventually(() => gaps.map(({ missed }) => missed)).toEqual([0, 2])
    for (const { sinceMs } of gaps) expect(sinceMs).toBeLessThanOrEqual(downMs)
    for (const { sinceMs } of gaps) expect(sinceMs).toBeGreaterThan(beforeMs - 30_000)
    await eventually(() => heard).toEqual([1, 4])
    expect(ann.stream('positions').ledger()).toMatchObject({ missed: 0, missedAway: 2, delivered: 2 })
    expect(service.ledger().lost.offline).toBe(2)
  })

  test('holds a page that comes meanwhile, and welcomes it when it is back', async () => {
    const upstream = new ScriptedTransport()
    upstream.answers.open = new Error('away')
    const { raw, server } = await serve({ upstream })
    const page = await raw()
    page.hello({ version: 1, hub: HUB, secret: secretOf('ann'), token: 'ann' })
    await eventually(() => upstream.opens.length).toBeGreaterThan(1)
    expect(page.received).toEqual([])
    upstream.answers.open = 'resolve'
    expect((await page.next('welcome')).kind).toBe('welcome')
    expect(server.pages.counts.pages).toBe(1)
  })

  test('has the joins of pages made again before they are back', async () => {
    const upstream = new ScriptedTransport()
    const { welcomed } = await serve({ upstream })
    const page = await welcomed('ann')
    await page.join(TOPIC)
    expect(upstream.joins.map(({ topic }) => topic)).toEqual([TOPIC])
    upstream.host.down(new Error('gone'))
    expect(await page.closed).toEqual({ code: 4100, reason: 'the transport upstream is away' })
    await eventually(() => upstream.joins.length).toBe(2)
    const again = await welcomed('ann')
    expect((await again.join(TOPIC)).kind).toBe('joined')
    expect(upstream.joins.map(({ topic }) => topic)).toEqual([TOPIC, TOPIC])
    expect(upstream.left).toEqual([])
    again.topical('leave', TOPIC)
    await again.barrier()
    await eventually(() => upstream.left).toEqual([TOPIC])
  })
})

test('a page gets the capabilities that upstream has now, not those of the first page', async () => {
  const upstream = new ScriptedTransport()
  const { welcomed } = await serve({ upstream })
  const first = await welcomed('ann')
  upstream.capabilities = { ...upstream.capabilities, ordered: false, maxFrameBytes: () => 9_000 }
  upstream.host.down(new Error('gone'))
  await first.closed
  const again = await welcomed('ann')
  expect(JSON.parse((await again.next('welcome')).text)).toEqual({
    version: 1,
    maxFrameBytes: 9_000,
    ordered: false,
    prefixes: prefixesOf('ann'),
  })
})

describe('joins upstream', () => {
  test('are one for the hub and all pages, until the last one leaves', async () => {
    const upstream = new ScriptedTransport()
    const { hub, welcomed } = await serve({ upstream })
    const pages = [await welcomed('ann'), await welcomed('bob')]
    for (const page of pages) await page.join(TOPIC)
    const subscription = hub.stream('positions').subscribe(() => {})
    await subscription.ready
    expect(upstream.joins.length).toBe(1)
    subscription.unsubscribe()
    pages[0]?.topical('leave', TOPIC)
    await pages[0]?.barrier()
    expect(upstream.left).toEqual([])
    pages[1]?.terminate()
    await eventually(() => upstream.left).toEqual([TOPIC])
  })

  test('answer a page once upstream has answered', async () => {
    const upstream = new ScriptedTransport()
    upstream.answers.join = 'hang'
    const { welcomed } = await serve({ upstream })
    const page = await welcomed('ann')
    const answer = page.join(TOPIC)
    await page.barrier()
    expect(page.all('joined')).toEqual([])
    upstream.joins[0]?.resolve()
    expect((await answer).kind).toBe('joined')
  })

  test('that upstream refuses are retried by the relay, not for each page', async () => {
    const upstream = new ScriptedTransport()
    upstream.answers.join = new Error('no permission')
    const { hub, welcomed } = await serve({ upstream })
    const pages = await Promise.all(['ann', 'bob', 'eve'].map((name) => welcomed(name)))
    const answers = []
    for (const page of pages) {
      answers.push(await page.join(TOPIC))
      // Whoever asked upstream now would wait.
      upstream.answers.join = 'hang'
    }
    expect(answers.map(({ kind }) => kind)).toEqual(['refused', 'refused', 'refused'])
    expect(answers[0]?.text).toContain('no permission')
    const errors: string[] = []
    hub.on('error', (error) => errors.push(error.message))
    hub.stream('positions').on('error', (error) => errors.push(error.message))
    await expect(hub.stream('positions').subscribe(() => {}).ready).rejects.toMatchObject({
      code: 'TRANSPORT_FAILED',
    })
    expect(errors.join()).toContain('no permission')
    const asked = upstream.joins.length
    upstream.answers.join = 'resolve'
    await eventually(() => upstream.joins.length).toBeGreaterThan(asked)
    await eventually(async () => (await pages[0]?.join(TOPIC))?.kind).toBe('joined')
  })

  test('that upstream ends are told to the pages and the hub, which join again', async () => {
    const upstream = new ScriptedTransport()
    const { hub, page, welcomed } = await serve({ upstream })
    const raw = await welcomed('bob')
    await raw.join(TOPIC)
    const ann = await page('ann')
    const heard = [await listen(ann), await listen(hub)]
    upstream.host.left(TOPIC as never, new Error('revoked'))
    expect(await raw.next('left')).toMatchObject({ topic: TOPIC, text: 'revoked' })
    await eventually(() => upstream.joins.length).toBe(2)
    for (const one of [ann, hub]) await one.ready()
    let n = 0
    for (const numbers of heard) {
      await eventually(() => {
        upstream.host.receive(TOPIC as never, frameOf(MINE, ++n, { n }))
        return numbers.length
      }).toBeGreaterThan(0)
    }
  })
})

describe('barriers of pages', () => {
  test('are answered after a flush upstream behind their frames, at most three at once', async () => {
    const upstream = new ScriptedTransport()
    upstream.answers.flush = 'hang'
    const { welcomed } = await serve({ upstream })
    const [ann, bob] = [await welcomed('ann'), await welcomed('bob')]
    const answered: number[] = []
    const ask = (nth: number, page = ann) => void page.barrier().then(() => answered.push(nth))
    for (const nth of [1, 2, 3]) {
      ask(nth)
      await eventually(() => upstream.flushes.length).toBe(nth)
    }
    // Upstream has what was sent before the first, too.
    upstream.flushes[1]?.resolve()
    await eventually(() => answered).toEqual([1, 2])
    for (const nth of [4, 5]) {
      ask(nth)
      await eventually(() => upstream.flushes.length).toBe(nth)
    }
    ask(6)
    ask(7, bob)
    for (const [nth, page] of [ann, bob].entries()) {
      page.topical('frame', TOPIC, frameOf(prefixOf(nth === 0 ? 'ann' : 'bob')))
      await eventually(() => upstream.sent.length).toBe(nth + 1)
    }
    expect(upstream.flushes.length).toBe(5)
    upstream.flushes[2]?.resolve()
    await eventually(() => answered).toEqual([1, 2, 3])
    await eventually(() => upstream.flushes.length).toBe(6)
    upstream.flushes[5]?.resolve()
    await eventually(() => [...answered].sort()).toEqual([1, 2, 3, 4, 5, 6, 7])
    expect(upstream.flushes.length).toBe(6)
  })

  test('are not answered when the flush fails, and the next one is', async () => {
    const upstream = new ScriptedTransport()
    const { hub, welcomed } = await serve({ upstream })
    await hub.ready()
    const page = await welcomed('ann')
    upstream.answers.flush = new Error('lost')
    const lost = page.barrier()
    await eventually(() => upstream.flushes.length).toBe(1)
    upstream.answers.flush = 'resolve'
    await page.barrier()
    expect(page.all('barrier').length).toBe(1)
    page.terminate()
    await expect(lost).rejects.toMatchObject({ message: expect.stringContaining('closed') })
  })
})

describe('an upstream that echoes', () => {
  test.each([
    ['a bus', async () => memoryBus({ echoes: true }).transport()],
    [
      'mosquitto by MQTT 3.1.1',
      async () => {
        const broker = await ending(startMosquitto())
        return mqtt({ url: broker.url, protocol: 4 })
      },
    ],
  ])('delivers nothing to a page twice, and no page its own: %s', async (_, makeUpstream) => {
    const { hub, page, welcomed } = await serve({ upstream: await makeUpstream() })
    await hub.ready()
    expect(hub.status).toBe('up')
    const [ann, bob] = [await page('ann'), await page('bob')]
    const raw = await welcomed('eve')
    await raw.join(TOPIC)
    const heard = await Promise.all([hub, ann, bob].map((one) => listen(one)))
    for (let n = 1; n <= 5; n++) publish(ann, n)
    publish(hub, 6)
    raw.topical('frame', TOPIC, frameOf(EVES, 7, { n: 7 }))
    raw.topical('frame', topicOf('other'), removalOf(EVES, 8))
    for (const one of [hub, ann, bob]) await one.flush()
    await raw.barrier()
    for (const numbers of heard) await eventually(() => [...numbers].sort()).toEqual([1, 2, 3, 4, 5, 6, 7])
    for (const one of [ann, bob]) {
      expect(one.ledger().dropped).toMatchObject({ duplicate: 0, echo: 0 })
    }
    expect(hub.ledger().dropped.duplicate).toBe(0)
    expect(raw.all('frame').map(({ text }) => text.includes(EVES))).not.toContain(true)
  })
})

function publish(hub: Hub, n: number): void {
  hub.stream<{ n: number }>('positions', { limit: false }).publish({ n })
}
