import { redis } from '@rivulet/redis'
import type { Hub } from 'rivulet'
import { expect, onTestFinished, test } from 'vitest'
import type { Broker } from '../../../test/support/brokers.ts'
import { expectLaws } from '../../../test/support/ledger-laws.ts'
import { closeLawfully, eventually, makeLive } from '../../../test/support/live.ts'
import { REDIS_PROGRAMS, redisCommand, startRedisCluster } from '../../../test/support/redis-servers.ts'

const MEMBERS = 3
// Enough for each node to have some of them, by the hash of their names.
const NAMES = Array.from({ length: 30 }, (_, index) => `stream-${index}`)
const EACH = 10
const topicOf = (name: string) => `rivulet/default/${name}`

async function cluster(server?: (typeof REDIS_PROGRAMS)[number]): Promise<Broker[]> {
  const brokers = await startRedisCluster(MEMBERS, { server })
  onTestFinished(async () => void (await Promise.all(brokers.map((broker) => broker.close()))))
  return brokers
}

async function openOn(servers: readonly Broker[], sharded: boolean): Promise<Hub> {
  const transport = redis({ servers: servers.map(({ url }) => url), sharded })
  const hub = makeLive({ transport, streamDefaults: { limit: false } })
  hub.on('error', () => {})
  await hub.ready()
  return hub
}

/** Keeps what others publish on each stream. */
async function listen(hub: Hub): Promise<Map<string, unknown[]>> {
  const heard = new Map(NAMES.map((name) => [name, [] as unknown[]]))
  const subscriptions = NAMES.map((name) =>
    hub.stream(name).subscribe(({ data, isLocal }) => void (isLocal || heard.get(name)?.push(data))),
  )
  await Promise.all(subscriptions.map(({ ready }) => ready))
  return heard
}

/** Publishes a series on every stream and expects each message there, once and in order. */
async function expectFlow(from: Hub, heard: Map<string, unknown[]>, series: string): Promise<void> {
  for (const name of NAMES) for (let n = 0; n < EACH; n += 1) from.stream(name).publish({ name, series, n })
  const ofSeries = () =>
    [...heard.values()].map((data) => data.filter((each) => Reflect.get(each as object, 'series') === series))
  const expected = NAMES.map((name) => Array.from({ length: EACH }, (_, n) => ({ name, series, n })))
  await eventually(ofSeries).toEqual(expected)
}

function statusesOf(hub: Hub): string[] {
  const statuses: string[] = []
  hub.on('status', (status) => statuses.push(status))
  return statuses
}

for (const server of REDIS_PROGRAMS) {
  test.each([false, true])(
    `hubs on different nodes exchange messages, sharded: %s, ${server}`,
    async (sharded) => {
      const brokers = await cluster(server)
      const [one, other] = [
        await openOn(brokers.slice(0, 1), sharded),
        await openOn(brokers.slice(1, 2), sharded),
      ]
      const [heardByOne, heardByOther] = [await listen(one), await listen(other)]
      await expectFlow(one, heardByOther, 'there')
      await expectFlow(other, heardByOne, 'back')
      const shares = brokers.map((broker) =>
        redisCommand(broker, 'PUBSUB', sharded ? 'SHARDCHANNELS' : 'CHANNELS'),
      )
      for (const share of await Promise.all(shares)) {
        const channels = share.split('\n').filter((line) => line !== '')
        if (sharded) expect(channels.length).toBeLessThan(NAMES.length)
        if (sharded) expect(channels.length).toBeGreaterThan(0)
      }
      for (const ledger of await closeLawfully(one, other)) {
        expect(ledger).toMatchObject({ missed: 0, unconfirmed: 0, confirmed: NAMES.length * EACH })
      }
    },
  )
}

test.each(REDIS_PROGRAMS)('a tap on one node hears what is published on all of them, %s', async (server) => {
  const brokers = await cluster(server)
  const watcher = await openOn(brokers.slice(0, 1), false)
  const heard: string[] = []
  const tap = watcher.tap(({ data }, name) => void heard.push(`${name} ${JSON.stringify(data)}`))
  await tap.ready
  const publishers = await Promise.all(brokers.map((broker) => openOn([broker], false)))
  for (const [by, hub] of publishers.entries()) for (const name of NAMES) hub.stream(name).publish({ by })
  const expected = NAMES.flatMap((name) => publishers.map((_, by) => `${name} {"by":${by}}`))
  await eventually(() => [...heard].sort()).toEqual(expected.sort())
  expect(tap.ledger()).toMatchObject({ received: expected.length, missed: 0 })
  expectLaws(tap.ledger())
})

test('with sharded channels no hub of a cluster can be watched, and the rejection says why', async () => {
  const brokers = await cluster()
  const transport = redis({ servers: brokers.map(({ url }) => url), sharded: true })
  const hub = makeLive({ transport })
  hub.on('error', () => {})
  await hub.ready()
  expect(transport.capabilities.watch).toBe(false)
  await expect(transport.watch('default', new AbortController().signal)).rejects.toMatchObject({
    message: expect.stringContaining('have no patterns'),
  })
  await expect(hub.tap(() => {}).ready).rejects.toMatchObject({ code: 'TRANSPORT_FAILED' })
})

test('a hub whose node is killed moves to another one by itself', async () => {
  const brokers = await cluster()
  const [walker, witness] = [await openOn(brokers.slice(0, 2), false), await openOn(brokers.slice(2), false)]
  const [heardByWalker, heardByWitness] = [await listen(walker), await listen(witness)]
  const statuses = statusesOf(walker)
  const channels = await redisCommand(brokers[0] as Broker, 'PUBSUB', 'CHANNELS')
  await brokers[channels === '' ? 1 : 0]?.kill()
  await eventually(() => statuses).toEqual(['down', 'up'])
  await walker.ready()
  await expectFlow(walker, heardByWitness, 'there')
  await expectFlow(witness, heardByWalker, 'back')
})

test('with sharded channels a hub is down while a node is away, and up again with it', async () => {
  const brokers = await cluster()
  const [one, other] = [await openOn(brokers, true), await openOn(brokers, true)]
  const [heardByOne, heardByOther] = [await listen(one), await listen(other)]
  const statuses = statusesOf(one)
  await brokers[1]?.kill()
  await eventually(() => statuses).toEqual(['down'])
  one.stream(NAMES[0] as string).publish({ lost: true })
  await one.flush()
  expect(one.ledger().lost.offline).toBe(1)
  await brokers[1]?.start()
  for (const hub of [one, other]) await hub.ready()
  await expectFlow(one, heardByOther, 'there')
  await expectFlow(other, heardByOne, 'back')
})

test('with sharded channels hubs follow a slot that moves, whether or not they publish', async () => {
  const brokers = await cluster()
  const [one, other] = [await openOn(brokers, true), await openOn(brokers, true)]
  const heardByOther = await listen(other)
  const statuses = [statusesOf(one), statusesOf(other)]
  const slot = await redisCommand(brokers[0] as Broker, 'CLUSTER', 'KEYSLOT', topicOf(NAMES[0] as string))
  const ids = await Promise.all(brokers.map((broker) => redisCommand(broker, 'CLUSTER', 'MYID')))
  const owner = Math.floor((Number(slot) * MEMBERS) / 16_384)
  const target = (owner + 1) % MEMBERS
  const setSlot = (index: number, ...how: string[]) =>
    redisCommand(brokers[index] as Broker, 'CLUSTER', 'SETSLOT', slot, ...how)
  await setSlot(target, 'IMPORTING', ids[owner] as string)
  await setSlot(owner, 'MIGRATING', ids[target] as string)
  for (const index of [target, owner, (owner + 2) % MEMBERS])
    await setSlot(index, 'NODE', ids[target] as string)
  await eventually(() => statuses.map((each) => each.includes('down') && each.at(-1))).toEqual(['up', 'up'])
  for (const hub of [one, other]) await hub.ready()
  await expectFlow(one, heardByOther, 'after')
})
