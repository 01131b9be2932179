import { memoryBus } from '@rivulet/memory'
import fc from 'fast-check'
import { Registry } from 'prom-client'
import { createHub } from 'rivulet'
import { expect, test } from 'vitest'
import { passUntil, stopTime } from '../../../test/support/fake-time.ts'
import { register } from '../src/prometheus.ts'
import { faults, operations, perform } from './random-operations.ts'
import { accountIn, accountOf, type Series, scrape } from './registered-hubs.ts'

stopTime()

const NAMES = ['one', 'other']

test('outcomes add up to the ledger at every scrape, and no counter falls', async () => {
  await fc.assert(
    fc.asyncProperty(faults, fc.array(operations, { maxLength: 25 }), async (faults, todo) => {
      const bus = memoryBus(faults)
      const hubs = NAMES.map(() => createHub({ transport: bus.transport() }))
      for (const hub of hubs) hub.on('error', () => {})
      const registry = new Registry()
      const unregister = hubs.map((hub, index) => register(hub, { registry, name: NAMES[index] as string }))
      let before = await scrape(registry)
      const check = async () => {
        const scraping = scrape(registry)
        const accounts = hubs.map((hub) => accountIn(hub.ledger())) // before anything else happens
        const scraped = await scraping
        expect(NAMES.map((name) => accountOf(scraped, name))).toEqual(accounts)
        expect(fallenOf(before, scraped)).toEqual([])
        before = scraped
      }
      for (const operation of todo) {
        await perform(operation, bus, hubs)
        await check()
      }
      bus.thaw()
      bus.up()
      await passUntil(Promise.all(hubs.map((hub) => hub.close())))
      await check()
      for (const [index, hub] of hubs.entries()) {
        const { published, received } = accountOf(before, NAMES[index] as string)
        expect([published, received]).toEqual([hub.ledger().attempts, hub.ledger().received])
      }
      for (const each of unregister) each()
    }),
    { numRuns: 60 },
  )
})

type Scraped = ReadonlyMap<string, readonly Series[]>

/** Names the counters that have decreased. */
function fallenOf(before: Scraped, after: Scraped): string[] {
  const valueIn = (scraped: Scraped, name: string, labels: object) =>
    scraped.get(name)?.find((series) => JSON.stringify(series.labels) === JSON.stringify(labels))?.value
  return [...before].flatMap(([name, series]) => {
    if (!name.endsWith('_total')) return []
    const fallen = series.filter(({ labels, value }) => !((valueIn(after, name, labels) ?? -1) >= value))
    return fallen.map(({ labels }) => `${name} ${JSON.stringify(labels)}`)
  })
}
