import { diag, metrics } from '@opentelemetry/api'
import { memoryBus } from '@rivulet/memory'
import { createHub, type Hub, type RivuletError } from 'rivulet'
import { expect, onTestFinished, test, vi } from 'vitest'
import { waitFor } from '../../../test/support/wait-for.ts'
import { observe } from '../src/index.ts'
import { CollectedMetrics } from './collected-metrics.ts'

function closing(hub: Hub): Hub {
  onTestFinished(async () => void (await hub.close()))
  return hub
}

function openMetrics(): CollectedMetrics {
  const collected = new CollectedMetrics()
  onTestFinished(() => collected.provider.shutdown())
  return collected
}

const PUBLISH = {
  'messaging.system.name': 'rivulet',
  'messaging.operation.name': 'publish',
  'messaging.operation.type': 'send',
}

test('reports the outcomes of attempts and messages', async () => {
  const bus = memoryBus()
  const [near, far] = [1, 2].map(() => closing(createHub({ name: 'fleet', transport: bus.transport() })))
  if (near === undefined || far === undefined) throw new Error('there are two')
  const collected = openMetrics()
  observe(near, { meterProvider: collected.provider, name: 'near' })
  observe(far, { meterProvider: collected.provider, name: 'far' })
  await near.ready()
  await far.stream('positions').subscribe(() => {}).ready
  await far.stream('small', { maxBytes: 10 }).subscribe(() => {}).ready
  far.on('error', () => {})

  const stream = near.stream('positions', { limit: { ratePerSecond: 0, burst: 2 } })
  stream.tryPublish([] as never)
  for (const n of [1, 2, 3]) stream.tryPublish({ n })
  near.stream('small').publish({ text: 'too large there' })
  await near.flush()
  await waitFor(() => expect(far.ledger().received).toBe(3))
  await collected.collect()

  const ofNear = { 'rivulet.hub.name': 'near', ...PUBLISH }
  const sent = (outcome: string) =>
    collected.valueOf('messaging.client.sent.messages', { ...ofNear, 'rivulet.outcome': outcome })
  expect([sent('local'), sent('confirmed'), sent('unconfirmed')]).toEqual([0, 3, 0])
  const refused = (code: string) => collected.valueOf('rivulet.refused', { ...ofNear, 'error.type': code })
  expect(['INVALID_DATA', 'RATE_LIMITED', 'PAYLOAD_TOO_LARGE'].map(refused)).toEqual([1, 1, 0])
  expect(collected.valueOf('rivulet.lost', { ...ofNear, reason: 'offline' })).toBe(0)
  const ofFar = { 'rivulet.hub.name': 'far', 'messaging.operation.name': 'process' }
  expect(collected.valueOf('messaging.client.consumed.messages', ofFar)).toBe(2)
  expect(collected.valueOf('rivulet.dropped', { ...ofFar, reason: 'tooLarge' })).toBe(1)
  expect(collected.valueOf('rivulet.subscribers', ofFar)).toBe(2)
  expect(collected.valueOf('rivulet.hub.up', { 'rivulet.hub.name': 'far' })).toBe(1)
  expect(JSON.stringify([...collected.series.keys()])).not.toContain('positions')

  const { attempts, inFlight, waiting } = near.ledger()
  const parts = ['messaging.client.sent.messages', 'rivulet.refused', 'rivulet.lost', 'rivulet.conflated']
  const sum = parts.reduce((total, name) => total + (collected.valueOf(name, ofNear) ?? Number.NaN), 0)
  expect(sum + inFlight + waiting).toBe(attempts)
})

test('has monotonic counters, and up-down counters for decreasing values', async () => {
  const collected = openMetrics()
  observe(closing(createHub()), { meterProvider: collected.provider })
  await collected.collect()
  const kinds = collected.names.map((name) => {
    const metric = collected.metric(name) as { readonly isMonotonic?: boolean }
    return [name, metric.isMonotonic]
  })
  expect(Object.fromEntries(kinds)).toEqual({
    'messaging.client.sent.messages': true,
    'messaging.client.consumed.messages': true,
    'rivulet.lost.removals': true,
    'rivulet.refused': true,
    'rivulet.conflated': true,
    'rivulet.lost': true,
    'rivulet.dropped': true,
    'rivulet.missed': true,
    'rivulet.reordered': true,
    'rivulet.missed_away': true,
    'rivulet.publishers.evicted': true,
    'rivulet.listener.errors': true,
    'rivulet.iterator.drops': true,
    'rivulet.in_flight': false,
    'rivulet.waiting': false,
    'rivulet.subscribers': false,
    'rivulet.hub.up': undefined,
  })
})

test('splits the metrics by the groups of streams, ended streams included', async () => {
  const collected = openMetrics()
  const hub = closing(createHub())
  const asked: string[] = []
  const destinationTemplate = (name: string) => {
    asked.push(name)
    return name.startsWith('order/') ? 'order/{id}' : undefined
  }
  observe(hub, { meterProvider: collected.provider, destinationTemplate })
  for (const name of ['order/1', 'order/2', 'other']) hub.stream(name).publish({ n: 1 })
  const sent = (template?: string) =>
    collected.valueOf('messaging.client.sent.messages', { 'messaging.destination.template': template })
  await collected.collect()
  expect([sent('order/{id}'), sent()]).toEqual([2, 1])

  hub.stream('order/1').close()
  hub.stream('order/2').publish({ n: 2 })
  hub.stream('other').publish({ n: 2 })
  hub.stream('order/3').publish({ n: 1 })
  hub.stream('order/4').publish({ n: 1 })
  hub.stream('order/4').close() // opened and closed unseen: it counts in the rest
  await collected.collect()
  expect([sent('order/{id}'), sent()]).toEqual([4, 3])
  await collected.collect()
  expect([sent('order/{id}'), sent()]).toEqual([4, 3])
  expect(asked).toEqual(['order/1', 'order/2', 'other', 'order/3'])
})

test('follows a stream that has ended until its last message is settled', async () => {
  const bus = memoryBus()
  const hub = closing(createHub({ transport: bus.transport() }))
  const collected = openMetrics()
  observe(hub, { meterProvider: collected.provider, destinationTemplate: () => 'group' })
  const group = { 'messaging.destination.template': 'group' }
  const figures = async () => {
    await collected.read()
    const [sent, inFlight] = ['messaging.client.sent.messages', 'rivulet.in_flight']
    return [collected.valueOf(sent as string, group), collected.valueOf(inFlight as string, group)]
  }
  await hub.ready()
  bus.freeze()
  hub.stream('positions').publish({ n: 1 })
  expect(await figures()).toEqual([0, 1])
  hub.stream('positions').close()
  expect(await figures()).toEqual([0, 1])
  bus.thaw()
  await hub.flush()
  expect(await figures()).toEqual([1, 0])
  expect(await figures()).toEqual([1, 0])
})

test('has no group for a stream whose hook throws, rejects or returns no string', async () => {
  const errors: unknown[] = []
  const ignore = () => {}
  const error = (...said: unknown[]) => errors.push(said)
  diag.setLogger({ error, warn: ignore, info: ignore, debug: ignore, verbose: ignore })
  onTestFinished(() => diag.disable())
  const unhandled: unknown[] = []
  const hear = (reason: unknown) => unhandled.push(reason)
  process.on('unhandledRejection', hear)
  onTestFinished(() => void process.off('unhandledRejection', hear))
  const collected = openMetrics()
  const hub = closing(createHub())
  const gives: Record<string, () => unknown> = {
    throws() {
      throw 'thrown'
    },
    rejects: () => Promise.reject('rejected'),
    resolves: async () => 'a group',
    number: () => 7,
    empty: () => '',
  }
  const destinationTemplate = (name: string) => gives[name]?.() as string
  observe(hub, { meterProvider: collected.provider, destinationTemplate })
  for (const name of Object.keys(gives)) hub.stream(name).publish({ n: 1 })
  await collected.collect()
  await new Promise(setImmediate)
  const withoutGroup = { 'rivulet.outcome': 'local', 'messaging.destination.template': undefined }
  expect(collected.valueOf('messaging.client.sent.messages', withoutGroup)).toBe(5)
  expect(unhandled).toEqual([])
  expect(errors).toEqual(
    ['thrown', 'rejected'].map((cause) => ['destinationTemplate of @rivulet/otel failed', cause]),
  )
})

test('reads nothing after it was ended', async () => {
  const collected = openMetrics()
  const hub = closing(createHub())
  const end = observe(hub, { meterProvider: collected.provider })
  await collected.collect()
  expect(collected.names).toHaveLength(17)
  end()
  end()
  hub.stream('positions').publish({ n: 1 })
  const ledger = vi.spyOn(hub, 'ledger')
  await collected.collect()
  expect(ledger).not.toHaveBeenCalled()
  expect(collected.valueOf('messaging.client.sent.messages')).toBe(0) // the SDK keeps what it had
})

test('reports to the global meter provider by default, under its own scope', async () => {
  const collected = openMetrics()
  metrics.setGlobalMeterProvider(collected.provider)
  onTestFinished(() => metrics.disable())
  observe(closing(createHub({ name: 'fleet' })))
  await collected.collect()
  expect(collected.valueOf('rivulet.hub.up', { 'rivulet.hub.name': 'fleet' })).toBe(1)
})

test('refuses unknown options, and those of another type', () => {
  const hub = closing(createHub())
  for (const options of [{ meter: {} }, { destinationTemplate: 'orders' }, { name: 7 }]) {
    expect(() => observe(hub, options as never)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS' } satisfies Partial<RivuletError>),
    )
  }
})
