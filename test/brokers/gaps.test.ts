import type { Hub, Stream, StreamEvents } from 'rivulet'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startProxy } from '../support/fault-proxy.ts'
import { expectLaws } from '../support/ledger-laws.ts'
import { BROKER_KINDS, type BrokerKind, ending, eventually, openLive } from '../support/live.ts'

describe.each(BROKER_KINDS)('the event gap over $kind', (kind) => {
  test('counts exactly what others published while the link of a subscriber was cut', async () => {
    const { proxy, publisher, source, subscriber, target, gaps, heard } = await open(kind)
    await publish(publisher, source, heard, [1, 2, 3])
    const beforeMs = Date.now()
    proxy.mode = 'refuse'
    proxy.drop()
    await eventually(() => subscriber.status).toBe('down')
    for (let n = 4; n <= 10; n++) source.publish({ n })
    expect(await publisher.flush()).toMatchObject({ confirmed: 7 })
    expect(gaps).toEqual([])

    proxy.mode = 'pass'
    await eventually(() => gaps).toEqual([{ missed: 0, sinceMs: expect.any(Number) }])
    await publish(publisher, source, heard, [11])
    await eventually(() => gaps.map(({ missed }) => missed)).toEqual([0, 7])
    for (const { sinceMs } of gaps) expect(sinceMs).toBeLessThanOrEqual(beforeMs)
    expect(heard).toEqual([1, 2, 3, 11])
    expect(target.ledger()).toMatchObject({ delivered: 4, missedAway: 7, missed: 0, received: 4 })

    // A second outage, in which nothing is published, is told too, and nothing is counted for it.
    proxy.drop()
    await eventually(() => gaps.length).toBe(3)
    await publish(publisher, source, heard, [12])
    expect(gaps.map(({ missed }) => missed)).toEqual([0, 7, 0])
    expect(target.ledger()).toMatchObject({ delivered: 5, missedAway: 7, missed: 0 })
    expectLaws(subscriber.ledger())
  })

  test('counts what a publisher could not send while the broker was killed', async () => {
    const { broker, publisher, source, subscriber, target, gaps, heard } = await open(kind)
    await publish(publisher, source, heard, [1, 2, 3])
    await broker.kill()
    await eventually(() => [publisher.status, subscriber.status]).toEqual(['down', 'down'])
    for (let n = 4; n <= 8; n++) source.publish({ n })
    await broker.start()
    await eventually(() => gaps.map(({ missed }) => missed)).toEqual([0])
    await publisher.ready()
    await publish(publisher, source, heard, [9])
    await eventually(() => gaps.map(({ missed }) => missed)).toEqual([0, 5])
    expect(source.ledger()).toMatchObject({ accepted: 9, confirmed: 4, lost: { offline: 5 } })
    expect(target.ledger()).toMatchObject({ delivered: 4, missedAway: 5, missed: 0 })
  })
})

/** A publisher, and a subscriber behind a proxy that notes its gaps. */
async function open(kind: BrokerKind) {
  const broker = await ending(kind.start())
  const proxy = await startProxy(broker)
  onTestFinished(() => proxy.close())
  const publisher = await openLive(broker.url + kind.query)
  const subscriber = await openLive(proxy.url + kind.query)
  for (const hub of [publisher, subscriber]) hub.on('error', () => {})
  const [source, target] = [publisher, subscriber].map((hub) => hub.stream('gaps', { limit: false })) as [
    Stream,
    Stream,
  ]
  const gaps: StreamEvents['gap'][] = []
  const heard: unknown[] = []
  target.on('gap', (gap) => gaps.push(gap))
  await target.subscribe(({ data }) => heard.push(data.n)).ready
  return { broker, proxy, publisher, source, subscriber, target, gaps, heard }
}

/** Publishes numbers, and waits until the subscriber has them. */
async function publish(
  publisher: Hub,
  source: Stream,
  heard: readonly unknown[],
  numbers: readonly number[],
) {
  for (const n of numbers) source.publish({ n })
  await publisher.flush()
  await eventually(() => heard).toEqual(expect.arrayContaining([...numbers]))
}
