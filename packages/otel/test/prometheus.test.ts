import { memoryBus } from '@rivulet/memory'
import { Gauge, register as globalRegistry, Registry } from 'prom-client'
import { createHub, type Hub, RivuletError } from 'rivulet'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { openScene, wire } from '../../../test/support/remote-scene.ts'
import { waitFor } from '../../../test/support/wait-for.ts'
import { register } from '../src/prometheus.ts'
import { accountIn, accountOf, scrape, valuesOf } from './registered-hubs.ts'

let registry: Registry
beforeEach(() => {
  registry = new Registry()
})

function openHub(name: string, transport?: ReturnType<ReturnType<typeof memoryBus>['transport']>): Hub {
  const hub = createHub(transport === undefined ? { name } : { name, transport })
  onTestFinished(async () => void (await hub.close()))
  return hub
}

/** Two linked hubs: two messages arrive, one attempt has no data, one is over the limit. */
async function publishSome(): Promise<[near: Hub, far: Hub]> {
  const bus = memoryBus()
  const [near, far] = [openHub('fleet', bus.transport()), openHub('fleet', bus.transport())]
  await near.ready()
  await far.stream('positions').subscribe(() => {}).ready
  const stream = near.stream('positions', { limit: { ratePerSecond: 0, burst: 2 } })
  stream.tryPublish([] as never)
  for (const n of [1, 2, 3]) stream.tryPublish({ n })
  await near.flush()
  await waitFor(() => expect(far.ledger().received).toBe(2))
  return [near, far]
}

test('has every outcome of a hub, also those that did not happen', async () => {
  const [near, far] = await publishSome()
  register(near, { registry, name: 'near' })
  register(far, { registry, name: 'far' })
  const scraped = await scrape(registry)
  expect(valuesOf(scraped, 'rivulet_published_total', 'near')).toEqual({
    local: 0,
    confirmed: 2,
    unconfirmed: 0,
    conflated: 0,
    'lost.offline': 0,
    'lost.congested': 0,
    'lost.failed': 0,
    'refused.invalidData': 1,
    'refused.tooLarge': 0,
    'refused.schema': 0,
    'refused.rateLimited': 1,
    'refused.queueFull': 0,
    'refused.aborted': 0,
    'refused.closed': 0,
  })
  expect(valuesOf(scraped, 'rivulet_received_total', 'far')).toEqual({
    delivered: 2,
    'dropped.malformed': 0,
    'dropped.tooLarge': 0,
    'dropped.echo': 0,
    'dropped.duplicate': 0,
    'dropped.stale': 0,
    'dropped.schema': 0,
    'dropped.rateLimited': 0,
    'dropped.notJoined': 0,
    'dropped.newerFormat': 0,
  })
  expect(accountOf(scraped, 'near')).toEqual(accountIn(near.ledger()))
  expect(accountOf(scraped, 'far')).toEqual(accountIn(far.ledger()))
  expect(valuesOf(scraped, 'rivulet_subscribers', 'far')).toEqual({ all: 1 })
  expect(valuesOf(scraped, 'rivulet_hub_up', 'near')).toEqual({ all: 1 })
})

test('writes the text format of Prometheus', async () => {
  const hub = openHub('fleet')
  register(hub, { registry })
  hub.stream('positions').publish({ n: 1 })
  const text = await registry.metrics()
  expect(text).toContain('# TYPE rivulet_published_total counter\n')
  expect(text).toContain('\nrivulet_published_total{hub="fleet",outcome="local"} 1\n')
  expect(text).toContain('\nrivulet_hub_up{hub="fleet"} 1\n')
})

test('adds up hubs of one label, and takes each out by itself', async () => {
  const [one, other, third] = [openHub('fleet'), openHub('fleet'), openHub('third')]
  for (const hub of [one, other, third]) hub.stream('positions').publish({ n: 1 })
  const unregister = [one, other, third].map((hub) => register(hub, { registry }))
  const localOf = async (name: string) =>
    valuesOf(await scrape(registry), 'rivulet_published_total', name).local
  expect([await localOf('fleet'), await localOf('third')]).toEqual([2, 1])
  unregister[0]?.()
  unregister[0]?.()
  expect([await localOf('fleet'), await localOf('third')]).toEqual([1, 1])
  unregister[1]?.()
  expect([await localOf('fleet'), await localOf('third')]).toEqual([undefined, 1])
  unregister[2]?.()
  expect(registry.getMetricsAsArray()).toEqual([])
  register(one, { registry })
  expect(await localOf('fleet')).toBe(1)
})

test('keeps the last values of a closed hub, and reports that it is not up', async () => {
  const hub = openHub('fleet')
  register(hub, { registry })
  hub.stream('positions').publish({ n: 1 })
  await hub.close()
  const scraped = await scrape(registry)
  expect(valuesOf(scraped, 'rivulet_published_total', 'fleet').local).toBe(1)
  expect(valuesOf(scraped, 'rivulet_hub_up', 'fleet')).toEqual({ all: 0 })
})

test('lets no counter fall when a missed message comes late', async () => {
  const { hub, receive } = await openScene({ limit: false })
  onTestFinished(async () => void (await hub.close()))
  register(hub, { registry })
  const missed = async () => valuesOf(await scrape(registry), 'rivulet_missed_total', hub.name).all
  const seen: unknown[] = []
  for (const sequence of [1, 4, 2, 3, 6, 9]) {
    receive(wire(sequence))
    seen.push([hub.ledger().missed, await missed()])
  }
  expect(seen).toEqual([
    [0, 0],
    [2, 2],
    [1, 2],
    [0, 2],
    [1, 2],
    [3, 3],
  ])
})

test("uses prom-client's own registry by default, and a registry may be cleared", async () => {
  const unregister = register(openHub('fleet'))
  expect(valuesOf(await scrape(globalRegistry), 'rivulet_hub_up', 'fleet')).toEqual({ all: 1 })
  globalRegistry.clear()
  unregister()
  expect(globalRegistry.getMetricsAsArray()).toEqual([])
})

test('refuses unknown options and a registry with another metric of the same name', () => {
  const hub = openHub('fleet')
  const codeOf = (action: () => unknown) => {
    try {
      action()
    } catch (error) {
      return RivuletError.is(error) ? error.code : error
    }
  }
  expect(codeOf(() => register(hub, { registri: registry } as never))).toBe('INVALID_OPTIONS')
  expect(codeOf(() => register(hub, { name: 7 } as never))).toBe('INVALID_OPTIONS')
  new Gauge({ name: 'rivulet_waiting', help: 'Of another owner.', registers: [registry] })
  expect(codeOf(() => register(hub, { registry }))).toBe('INVALID_OPTIONS')
  expect(registry.getMetricsAsArray()).toHaveLength(1)
})
