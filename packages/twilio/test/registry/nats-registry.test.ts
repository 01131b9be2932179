import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { createGateway, type StreamRecord, type StreamRegistry } from '@rivulet/twilio'
import { type NatsRegistryOptions, openNatsRegistry } from '@rivulet/twilio/registry-nats'
import { createHub } from 'rivulet'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Broker, startNats } from '../../../../test/support/brokers.ts'
import { startProxy } from '../../../../test/support/fault-proxy.ts'
import { waitFor } from '../../../../test/support/wait-for.ts'
import { ACCOUNT_KEY, SERVICE } from '../../../gateway/test/support/served-gateway.ts'
import { BucketClient } from '../support/bucket-client.ts'

const OTHER_SERVICE = `IS${'3'.repeat(32)}`
const EVERYTHING = { size: 100, accepts: () => true }

let broker: Broker
beforeAll(async () => {
  broker = await startNats({ jetstream: true })
})
afterAll(() => broker.close())

interface Observed {
  readonly registry: StreamRegistry
  /** What it told of, e.g. `orders removed`. */
  readonly told: string[]
}

let buckets = 0

/** Opens registries on a bucket of their own until the test ends. */
async function opened(count: number, given: Partial<NatsRegistryOptions> = {}) {
  const options = { servers: broker.url, bucket: `bucket-${buckets++}`, ...given }
  const observed: Observed[] = []
  for (let index = 0; index < count; index++) observed.push(await open(options))
  const [here, there = here] = observed as [Observed, Observed]
  return { options, here, there, bucket: await BucketClient.open(broker.url, options.bucket) }
}

async function open(options: NatsRegistryOptions): Promise<Observed> {
  const registry = await openNatsRegistry(options)
  onTestFinished(() => registry.close())
  const told: string[] = []
  registry.onRemoved(({ uniqueName, sid }, reason) => told.push(`${uniqueName ?? sid} ${reason}`))
  return { registry, told }
}

function create(registry: StreamRegistry, name: string | null, service = SERVICE): Promise<StreamRecord> {
  return registry.create(service, name, 0, 'system') as Promise<StreamRecord>
}

/** The names that a registry lists, in order of the alphabet; that of an anonymous stream is empty. */
async function names({ registry }: Observed, service = SERVICE): Promise<string[]> {
  const { records } = await registry.page(service, EVERYTHING)
  // Not in their order: streams of one millisecond stand in the order of their sids.
  return records.map(({ uniqueName }) => uniqueName ?? '').sort()
}

function named(name: string, service = SERVICE): string {
  return `${service}.n.${Buffer.from(name).toString('base64url')}`
}

function sidOf(digit: string): string {
  return `TO${digit.repeat(32)}`
}

function recordNamed(uniqueName: string | null, changes: object = {}) {
  const sid = sidOf('a')
  const record = { sid, serviceSid: SERVICE, uniqueName, createdMs: 1, updatedMs: 1, expiresMs: null }
  return { ...record, ...changes }
}

describe('a value that no gateway wrote', { timeout: 120_000 }, () => {
  const bad: [what: string, key: string, value: unknown][] = [
    ['another service', named('x', OTHER_SERVICE), recordNamed('victim', { expiresMs: 1 })],
    ['another name', named('x'), recordNamed('victim', { expiresMs: 1 })],
    ['no name under the key of a name', named('x'), recordNamed(null)],
    ['a name under the key of a sid', `${SERVICE}.s.${sidOf('a')}`, recordNamed('victim')],
    ['another sid', `${SERVICE}.s.${sidOf('b')}`, recordNamed(null)],
    ['a sid in upper case', `${SERVICE}.s.${sidOf('A')}`, recordNamed(null, { sid: sidOf('A') })],
    ['an array as sid', named('x'), recordNamed('x', { sid: [sidOf('a')] })],
    ['an array as name', named('x'), recordNamed('x', { uniqueName: ['x'] })],
    ['an array as service', named('x'), recordNamed('x', { serviceSid: [SERVICE] })],
    ['no service', 'x.n.eA', recordNamed('x', { serviceSid: 'x' })],
    [
      'a name like that of an anonymous stream',
      named(`anonymous/${'a'.repeat(32)}`),
      recordNamed(`anonymous/${'a'.repeat(32)}`),
    ],
    ['a name of 321 characters', named('n'.repeat(321)), recordNamed('n'.repeat(321))],
    ['a date that cannot be shown', named('x'), recordNamed('x', { createdMs: 1e20 })],
    ['a date of a fraction', named('x'), recordNamed('x', { updatedMs: 0.5 })],
    ['a date before 1970', named('x'), recordNamed('x', { expiresMs: -1 })],
    ['a text as date', named('x'), recordNamed('x', { expiresMs: '5' })],
    ['nobody as creator', named('x'), recordNamed('x', { createdBy: '' })],
    ['a creator of 257 characters', named('x'), recordNamed('x', { createdBy: 'c'.repeat(257) })],
    ['a creator that is no text', named('x'), recordNamed('x', { createdBy: null })],
    ['no object', named('x'), 'null'],
    ['an array', named('x'), '[]'],
    ['no JSON', named('x'), '{'],
    ['JSON that is too deep', named('x'), '['.repeat(500_000)],
    ['nothing', named('x'), ''],
  ]

  test('is no stream, and harms none, on any gateway', async () => {
    const { options, here, there, bucket } = await opened(2)
    const victim = await create(here.registry, 'victim')
    const other = await create(here.registry, 'victim', OTHER_SERVICE)
    for (const [what, key, value] of bad) {
      await bucket.write(key, value)
      // What comes after shows that the watch has taken it.
      const after = await create(here.registry, 'after')
      expect(await names(here), what).toEqual(['after', 'victim'])
      expect(await names(there), what).toEqual(['after', 'victim'])
      await here.registry.remove(after)
      expect(await names(there, OTHER_SERVICE), what).toEqual(['victim'])
      expect([here.told.splice(0), there.told.splice(0)], what).toEqual([
        ['after removed'],
        ['after removed'],
      ])
    }
    const late = await open(options)
    for (const { registry } of [here, there, late]) {
      expect(await registry.find(SERVICE, victim.sid)).toEqual(victim)
      expect(await registry.find(OTHER_SERVICE, 'victim')).toEqual(other)
      expect(await registry.find(SERVICE, 'x')).toBeUndefined()
      expect([registry.count(SERVICE), registry.count(OTHER_SERVICE)]).toEqual([1, 1])
      expect(registry.count('x')).toBe(0)
      expect(registry.status).toBe('up')
    }
  })

  test('does not keep a name from a new stream', async () => {
    const { here, there, bucket } = await opened(2)
    await bucket.write(named('x'), recordNamed('x', { createdMs: 1e20 }))
    const created = await create(there.registry, 'x')
    expect(created).toMatchObject({ uniqueName: 'x' })
    expect(await names(here)).toEqual(['x'])
    expect(await create(here.registry, 'x')).toBeUndefined()
  })

  test('cannot claim the sid of another stream', async () => {
    const { options, here, there, bucket } = await opened(2)
    const victim = await create(here.registry, 'victim')
    const anonymous = await create(here.registry, null)
    await bucket.write(named('x'), recordNamed('x', { sid: victim.sid }))
    await bucket.write(named('y'), recordNamed('y', { sid: anonymous.sid }))
    expect(await names(there)).toEqual(['', 'victim'])
    await bucket.kv.purge(named('x'))
    await bucket.write(named('y'), recordNamed('y', { sid: anonymous.sid, expiresMs: 1 }))
    // Written anew, so that a gateway that starts hears of the claim first.
    const longer = (await here.registry.setTtl(anonymous, 1000)) as StreamRecord
    const late = await open(options)
    for (const observed of [here, there, late]) {
      expect(await names(observed)).toEqual(['', 'victim'])
      expect(await observed.registry.find(SERVICE, victim.sid)).toEqual(victim)
      expect(await observed.registry.find(SERVICE, anonymous.sid)).toEqual(longer)
    }
    expect([here.told, there.told]).toEqual([[], []])
  })

  test('cannot claim the sid of a stream with a name, and ends it nowhere', async () => {
    const { options, here, there, bucket } = await opened(2)
    const victim = await create(here.registry, 'victim')
    const claim = recordNamed(null, { sid: victim.sid })
    await bucket.write(`${SERVICE}.s.${victim.sid}`, claim)
    expect([await names(here), await names(there)]).toEqual([['victim'], ['victim']])
    // Written anew, so that a gateway that starts hears of the claim first; or the claim is, so that it comes last.
    const longer = (await here.registry.setTtl(victim, 1000)) as StreamRecord
    const first = await open(options)
    await bucket.write(`${SERVICE}.s.${victim.sid}`, { ...claim, expiresMs: 1 })
    const last = await open(options)
    for (const observed of [here, there, first, last]) {
      expect(await names(observed)).toEqual(['victim'])
      expect(await observed.registry.find(SERVICE, victim.sid)).toEqual(longer)
    }
    expect([here.told, there.told, last.told]).toEqual([[], [], []])
  })

  test('of the first edition was created by a key', async () => {
    const { here, there, bucket } = await opened(2)
    await bucket.write(named('old'), recordNamed('old'))
    await names(here)
    expect(await here.registry.find(SERVICE, 'old')).toEqual(recordNamed('old', { createdBy: 'system' }))
    const created = await there.registry.create(SERVICE, 'new', 0, 'é'.repeat(256))
    await names(here)
    expect(await here.registry.find(SERVICE, 'new')).toEqual(created)
    expect(created).toMatchObject({ createdBy: 'é'.repeat(256) })
  })
})

test('many who ask for unknown sids at once share what is asked of the server', async () => {
  const { here, bucket } = await opened(1)
  const asked = await bucket.countInfoRequests()
  const unknown = Array.from({ length: 300 }, (_, index) => `TO${index.toString(16).padStart(32, '0')}`)
  const found = await Promise.all(unknown.map((sid) => here.registry.find(SERVICE, sid)))
  expect(found.filter((record) => record !== undefined)).toEqual([])
  expect(await asked()).toBeLessThan(5)
})

describe('a watch', { timeout: 120_000 }, () => {
  test('begins again when its consumer is deleted', async () => {
    const { here, there, bucket } = await opened(2)
    const first = await create(here.registry, 'first')
    await names(there)
    expect(await bucket.deleteConsumers()).toBeGreaterThanOrEqual(2)
    await create(here.registry, 'second')
    await here.registry.remove(first)
    await waitFor(() => expect(there.told).toEqual(['first removed']), 30_000)
    expect(await names(there)).toEqual(['second'])
    await create(here.registry, 'third')
    expect(await names(there)).toEqual(['second', 'third'])
    expect(there.registry.status).toBe('up')
    expect([here.told, there.told]).toEqual([['first removed'], ['first removed']])
  })

  test('catches up after a cut, also with keys that left no marker', async () => {
    const proxy = await startProxy({ url: broker.url })
    onTestFinished(() => proxy.close())
    const { options, here, bucket } = await opened(1)
    const cut = await open({ ...options, servers: proxy.url })
    for (const name of ['kept', 'removed', 'purged', 'changed']) await create(here.registry, name)
    await names(cut)
    proxy.mode = 'refuse'
    proxy.drop()
    await waitFor(() => expect(cut.registry.status).toBe('down'), 30_000)
    const find = (name: string) => here.registry.find(SERVICE, name) as StreamRecord
    await here.registry.remove(find('removed'))
    await bucket.purge(named('purged'))
    await create(here.registry, 'new')
    const changed = await here.registry.setTtl(find('changed'), 1000)
    // What it knew is still there, so that publishing goes on.
    expect(cut.registry.find(SERVICE, 'removed')).toMatchObject({ uniqueName: 'removed' })
    proxy.mode = 'pass'
    await waitFor(() => expect(cut.registry.status).toBe('up'), 30_000)
    expect(await names(cut)).toEqual(['changed', 'kept', 'new'])
    expect(await cut.registry.find(SERVICE, 'changed')).toEqual(changed)
    expect([...cut.told].sort()).toEqual(['purged removed', 'removed removed'])
  })

  test.each(['purge', 'roll-up'])('notices that the bucket was emptied by a %s', async (how) => {
    const { here, there, bucket } = await opened(2)
    await create(here.registry, 'first')
    await create(there.registry, null)
    expect(await names(there)).toHaveLength(2)
    const { epoch } = here.registry
    if (how === 'purge') await bucket.purge()
    else await bucket.rollUp(named('x'), '{}')
    await waitFor(() => expect([here.told.length, there.told.length]).toEqual([2, 2]), 30_000)
    expect([here.registry.count(SERVICE), await names(there)]).toEqual([0, []])
    expect(await create(here.registry, 'first')).toMatchObject({ uniqueName: 'first' })
    expect(await names(there)).toEqual(['first'])
    expect(here.registry.epoch).toBe(epoch)
  })
})

describe('the epoch', { timeout: 120_000 }, () => {
  test('is that of the bucket, for every gateway and over its restart', async () => {
    const { options, here, there } = await opened(2)
    const { epoch } = here.registry
    expect(epoch).toMatch(/./)
    await create(here.registry, 'kept')
    await Promise.all([here.registry.close(), there.registry.close()])
    const again = await open(options)
    expect([there.registry.epoch, again.registry.epoch]).toEqual([epoch, epoch])
    expect(await names(again)).toEqual(['kept'])
    expect((await opened(1)).here.registry.epoch).not.toBe(epoch)
  })

  test('changes when the bucket is deleted, which the gateways make anew', async () => {
    const { here, there, bucket } = await opened(2)
    const { epoch } = here.registry
    // More revisions than the new bucket will have.
    for (const name of ['a', 'b', 'c']) await create(here.registry, name)
    expect(await names(there)).toEqual(['a', 'b', 'c'])
    await bucket.destroy()
    await waitFor(() => {
      expect([here.registry.status, there.registry.status]).toEqual(['up', 'up'])
      expect(here.registry.epoch).not.toBe(epoch)
      expect(there.registry.epoch).toBe(here.registry.epoch)
    }, 30_000)
    const told = ['a removed', 'b removed', 'c removed']
    expect([here.told, there.told]).toEqual([told, told])
    expect([here.registry.count(SERVICE), there.registry.count(SERVICE)]).toEqual([0, 0])
    const created = await create(here.registry, 'a')
    expect(await names(there)).toEqual(['a'])
    expect(await there.registry.remove(created)).toBe(true)
    await waitFor(() => expect(here.told).toEqual([...told, 'a removed']), 30_000)
  })
})

describe('a server that is started again', { timeout: 120_000 }, () => {
  test.each(['kept', 'emptied'])('with its store %s gets its gateways back', async (store) => {
    const own = await startNats({ jetstream: true })
    onTestFinished(() => own.close())
    const [here, there] = [await open({ servers: own.url }), await open({ servers: own.url })]
    const { epoch } = here.registry
    for (const name of ['a', 'b', 'c']) await create(here.registry, name)
    expect(await names(there)).toEqual(['a', 'b', 'c'])
    await own.kill()
    await waitFor(() => expect(here.registry.status).toBe('down'), 30_000)
    await expect(create(here.registry, 'd')).rejects.toMatchObject({ code: 'TRANSPORT_UNAVAILABLE' })
    if (store === 'emptied') rmSync(join(own.folder, 'jetstream'), { recursive: true })
    await own.start()
    const isUp = () => expect([here.registry.status, there.registry.status]).toEqual(['up', 'up'])
    await waitFor(isUp, 60_000)
    const left = store === 'emptied' ? [] : ['a', 'b', 'c']
    expect([await names(here), await names(there)]).toEqual([left, left])
    const told = store === 'emptied' ? ['a removed', 'b removed', 'c removed'] : []
    expect([here.told, there.told]).toEqual([told, told])
    expect(there.registry.epoch).toBe(here.registry.epoch)
    expect(here.registry.epoch === epoch).toBe(store === 'kept')
    await create(there.registry, 'd')
    expect(await names(here)).toEqual([...left, 'd'])
  })
})

test('a gateway whose registry is down is not healthy, and ready all the same', {
  timeout: 120_000,
}, async () => {
  const proxy = await startProxy({ url: broker.url })
  onTestFinished(() => proxy.close())
  const { here } = await opened(1, { servers: proxy.url })
  const hub = createHub()
  onTestFinished(async () => void (await hub.close()))
  const gateway = createGateway({
    services: { [SERVICE]: hub },
    keys: [ACCOUNT_KEY],
    registry: here.registry,
  })
  const ask = (path: string) => gateway.fetch(new Request(`http://localhost${path}`))
  const health = async () => (await ask('/healthz')).status
  expect(await health()).toBe(200)
  proxy.mode = 'refuse'
  proxy.drop()
  await waitFor(async () => expect(await health()).toBe(503), 30_000)
  for (const path of ['/livez', '/readyz']) {
    const answer = await ask(path)
    expect([answer.status, await answer.json()]).toEqual([200, { status: 'up', registry: 'degraded' }])
  }
  proxy.mode = 'pass'
  await waitFor(async () => expect(await health()).toBe(200), 30_000)
})
