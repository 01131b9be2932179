import { redis } from '@rivulet/redis'
import type { Hub } from 'rivulet'
import { expect, onTestFinished, test } from 'vitest'
import type { Broker } from '../../../test/support/brokers.ts'
import { expectLaws } from '../../../test/support/ledger-laws.ts'
import { closeLawfully, eventually, makeLive } from '../../../test/support/live.ts'
import {
  REDIS_PROGRAMS,
  redisCommand,
  shardSubscribers,
  startRedis,
  startRedisCluster,
} from '../../../test/support/redis-servers.ts'

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

/** Records the messages of other publishers on each stream. */
async function listen(hub: Hub): Promise<Map<string, unknown[]>> {
  const heard = new Map(NAMES.map((name) => [name, [] as unknown[]]))
  const subscriptions = NAMES.map((name) =>
    hub.stream(name).subscribe(({ data, isLocal }) => void (isLocal || heard.get(name)?.push(data))),
  )
  await Promise.all(subscriptions.map(({ ready }) => ready))
  return heard
}

/** Publishes a series on all or some streams, and expects each message there, once and in order. */
async function expectFlow(
  from: Hub,
  heard: Map<string, unknown[]>,
  series: string,
  names = NAMES,
): Promise<void> {
  for (const name of names) for (let n = 0; n < EACH; n += 1) from.stream(name).publish({ name, series, n })
  const ofSeries = () =>
    names.map((name) => heard.get(name)?.filter((each) => Reflect.get(each as object, 'series') === series))
  const expected = names.map((name) => Array.from({ length: EACH }, (_, n) => ({ name, series, n })))
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

test.each(REDIS_PROGRAMS)('a tap on one node receives the messages of all nodes, %s', async (server) => {
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

test('with sharded channels a watch of a cluster is rejected with the reason', async () => {
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

/** Waits until so many hubs have joined every stream, on any node. */
async function everybodyJoined(brokers: readonly Broker[], hubs: number): Promise<void> {
  const joins = async () => {
    const shares = await Promise.all(brokers.map((broker) => shardSubscribers(broker, NAMES.map(topicOf))))
    return NAMES.map((_name, nth) => shares.reduce((sum, share) => sum + (share[nth] as number), 0))
  }
  await eventually(joins).toEqual(NAMES.map(() => hubs))
}

/** The streams that are on a node. */
async function namesOn(broker: Broker): Promise<string[]> {
  const counts = await shardSubscribers(broker, NAMES.map(topicOf))
  return NAMES.filter((_name, nth) => (counts[nth] as number) > 0)
}

function errorsOf(hub: Hub, names: readonly string[]): Map<string, string[]> {
  const errors = new Map(names.map((name) => [name, [] as string[]]))
  for (const name of names) hub.stream(name).on('error', ({ message }) => errors.get(name)?.push(message))
  return errors
}

const OUTAGES = [
  ['stopped', (broker: Broker) => broker.stop(), async (broker: Broker) => broker.cont()],
  ['killed', (broker: Broker) => broker.kill(), (broker: Broker) => broker.start()],
] as const

for (const server of REDIS_PROGRAMS) {
  test.each(OUTAGES)(
    `the streams of other shards go on while one shard is %s, ${server}`,
    async (_how, end, again) => {
      const brokers = await cluster(server)
      const [broken, ...healthy] = brokers as [Broker, Broker, Broker]
      const [one, other] = [await openOn(brokers, true), await openOn(brokers, true)]
      const [heardByOne, heardByOther] = [await listen(one), await listen(other)]
      await expectFlow(one, heardByOther, 'before')
      const waiting = await namesOn(broken)
      const going = NAMES.filter((name) => !waiting.includes(name))
      expect([waiting.length > 0, going.length > 0]).toEqual([true, true])
      const statuses = [statusesOf(one), statusesOf(other)]
      const reported: string[] = []
      other.on('error', ({ message }) => reported.push(message))
      const errors = errorsOf(other, NAMES)
      await end(broken)
      for (const name of waiting) one.stream(name).publish({ name, series: 'lost', n: 0 })
      await expectFlow(one, heardByOther, 'during', going)
      const shard = `The shard 127.0.0.1:${broken.port} of Redis is away`
      for (const name of waiting) {
        await eventually(() => errors.get(name)).toEqual([expect.stringContaining(shard)])
        const offline = () => {
          one.stream(name).publish({ name, series: 'lost' })
          return one.stream(name).ledger().lost.offline
        }
        await eventually(offline).toBeGreaterThan(0)
      }
      for (const name of going) expect(errors.get(name)).toEqual([])
      expect(reported).toEqual([expect.stringContaining(shard)])
      await one.flush()
      for (const name of going) {
        expect(one.stream(name).ledger()).toMatchObject({ confirmed: 2 * EACH, unconfirmed: 0, inFlight: 0 })
      }
      for (const name of waiting)
        expect(one.stream(name).ledger()).toMatchObject({ confirmed: EACH, inFlight: 0 })
      await again(broken)
      await everybodyJoined(brokers, 2)
      await expectFlow(one, heardByOther, 'after')
      await expectFlow(other, heardByOne, 'back')
      await expectFlow(one, heardByOther, 'again', going)
      for (const [name, data] of heardByOther) {
        const lost = data.filter((each) => Reflect.get(each as object, 'series') === 'lost')
        expect(data).toHaveLength(2 * EACH + (going.includes(name) ? 2 * EACH : 0))
        expect(lost).toEqual([])
      }
      expect(statuses).toEqual([[], []])
      expect(reported).toHaveLength(1)
      expect(healthy.every(({ alive }) => alive)).toBe(true)
    },
  )

  test(`the streams of a killed shard continue on the replica with its slots, ${server}`, async () => {
    const brokers = await cluster(server)
    const [master, ...others] = brokers as [Broker, Broker, Broker]
    const replica = await replicaOf(master, others[0], server)
    const [one, other] = [await openOn(brokers, true), await openOn(brokers, true)]
    const [heardByOne, heardByOther] = [await listen(one), await listen(other)]
    const statuses = [statusesOf(one), statusesOf(other)]
    await master.kill()
    await redisCommand(replica, 'CLUSTER', 'FAILOVER', 'TAKEOVER')
    await everybodyJoined([replica, ...others], 2)
    expect((await namesOn(replica)).length).toBeGreaterThan(0)
    await expectFlow(one, heardByOther, 'there')
    await expectFlow(other, heardByOne, 'back')
    expect(statuses).toEqual([[], []])
  })
}

/** Adds a replica of a master to its cluster, and waits until it is in sync and known to all nodes. */
async function replicaOf(master: Broker, member: Broker, server: (typeof REDIS_PROGRAMS)[number]) {
  const replica = await startRedis({ server, cluster: true, config: 'repl-diskless-sync-delay 0' })
  onTestFinished(() => replica.close())
  const address = ['127.0.0.1', String(master.port), String(master.portOf('cluster'))]
  await redisCommand(replica, 'CLUSTER', 'MEET', ...address)
  const id = await redisCommand(master, 'CLUSTER', 'MYID')
  await eventually(() => redisCommand(replica, 'CLUSTER', 'NODES')).toContain(id)
  await eventually(() => redisCommand(replica, 'CLUSTER', 'REPLICATE', id).catch(String)).toBe('OK')
  await eventually(() => redisCommand(replica, 'INFO', 'replication')).toContain('master_link_status:up')
  const ofReplica = await redisCommand(replica, 'CLUSTER', 'MYID')
  await eventually(() => redisCommand(member, 'CLUSTER', 'NODES')).toMatch(
    new RegExp(`${ofReplica} .* slave ${id}`),
  )
  return replica
}

test('with sharded channels a hub is down exactly while no shard answers', async () => {
  const brokers = await cluster()
  const [one, other] = [await openOn(brokers, true), await openOn(brokers, true)]
  const [heardByOne, heardByOther] = [await listen(one), await listen(other)]
  const statuses = [statusesOf(one), statusesOf(other)]
  const reported: string[] = []
  for (const hub of [one, other]) hub.on('error', ({ message }) => reported.push(message))
  await Promise.all(brokers.map((broker) => broker.stop()))
  one.stream(NAMES[0] as string).publish({ lost: true })
  other.stream(NAMES[0] as string).publish({ lost: true })
  await eventually(() => statuses).toEqual([['down'], ['down']])
  // No shard is given up by itself while none answers.
  expect(reported.join()).not.toContain('The shard')
  for (const broker of brokers) broker.cont()
  for (const hub of [one, other]) await hub.ready()
  await everybodyJoined(brokers, 2)
  await expectFlow(one, heardByOther, 'there')
  await expectFlow(other, heardByOne, 'back')
})

test('with sharded channels hubs follow a slot that moves, whether or not they publish', async () => {
  const brokers = await cluster()
  const [one, other] = [await openOn(brokers, true), await openOn(brokers, true)]
  const [heardByOne, heardByOther] = [await listen(one), await listen(other)]
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
  const name = topicOf(NAMES[0] as string)
  await eventually(() => shardSubscribers(brokers[target] as Broker, [name])).toEqual([2])
  await everybodyJoined(brokers, 2)
  await expectFlow(one, heardByOther, 'after')
  await expectFlow(other, heardByOne, 'back')
  expect(statuses).toEqual([[], []])
})
