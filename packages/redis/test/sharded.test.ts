import type { Topic } from 'rivulet'
import { expect, onTestFinished, test } from 'vitest'
import { expectFewTopicsKept } from '../../../test/support/adapters/many-topics.ts'
import { addressOf } from '../../../test/support/adapters/scene.ts'
import { rejection, shortHost, within } from '../../../test/support/adapters/waits.ts'
import type { Broker } from '../../../test/support/brokers.ts'
import { eventually } from '../../../test/support/live.ts'
import { redisCommand, startRedisCluster } from '../../../test/support/redis-servers.ts'
import { opened, server, transportTo } from './scene.ts'

const SHARDED = { sharded: true } as const
// Enough for each node to have some of them, by the hash of their names.
const TOPICS = Array.from({ length: 30 }, (_, index) => `rivulet/fleet/stream-${index}` as Topic)

async function cluster(): Promise<readonly [Broker, Broker]> {
  const brokers = await startRedisCluster(2)
  onTestFinished(async () => void (await Promise.all(brokers.map((broker) => broker.close()))))
  return brokers as [Broker, Broker]
}

/** Resolves to the joined topics of a node. */
async function joinedOn(broker: Broker): Promise<string[]> {
  const answer = await redisCommand(broker, 'PUBSUB', 'SHARDCHANNELS')
  return answer.split('\n').filter((line) => line !== '')
}

test('takes back its joins on every node', async () => {
  const brokers = await cluster()
  const { transport, host } = await opened(brokers[0], SHARDED)
  for (const topic of TOPICS) await transport.join(topic, within())
  const shares = await Promise.all(brokers.map(joinedOn))
  expect(shares.flat().sort()).toEqual([...TOPICS].sort())
  for (const share of shares) expect(share).not.toEqual([])
  for (const topic of TOPICS) transport.leave(topic)
  await transport.flush(within())
  expect((await Promise.all(brokers.map(joinedOn))).flat()).toEqual([])
  await transport.close(within())
  expect(host).toMatchObject({ errors: [], downs: [] })
  for (const broker of brokers) {
    await eventually(() => redisCommand(broker, 'CLIENT', 'LIST')).not.toContain('name=rivulet')
  }
})

test('confirms a barrier when every node has answered', async () => {
  const brokers = await cluster()
  // Otherwise the suspended node would soon be given up.
  const patient = shortHost()
  const host = Object.assign(patient, { timeouts: { ...patient.timeouts, barrierMs: 600_000 } })
  const { transport } = await opened(brokers[0], SHARDED, host)
  for (const topic of TOPICS) await transport.join(topic, within())
  const [ofFirst, ofSecond] = await Promise.all(brokers.map(joinedOn))
  await brokers[0].stop()
  let isConfirmed = false
  const flush = transport.flush(within()).then(() => {
    isConfirmed = true
  })
  const awake = ofSecond?.[0] as Topic
  transport.leave(awake)
  await transport.join(awake, within())
  const asleep = ofFirst?.[0] as Topic
  expect(transport.send(asleep, 'x')).toBe('sent')
  expect(isConfirmed).toBe(false)
  brokers[0].cont()
  await flush
})

test('opens while a node is away, reports that, and connects when it is back', async () => {
  const [here, away] = await cluster()
  await away.kill()
  const { transport, host } = await opened(here, SHARDED)
  await eventually(() => host.errors).toMatchObject([
    { topic: undefined, cause: { code: 'TRANSPORT_UNAVAILABLE' } },
  ])
  expect(host.errors[0]?.cause.message).toContain(`The shard ${addressOf(away)} of Redis is away`)
  const answers = TOPICS.map((topic) => transport.send(topic, 'x'))
  expect(new Set(answers)).toEqual(new Set(['sent', 'offline']))
  const waiting = TOPICS[answers.indexOf('offline')] as Topic
  expect(await rejection(transport.join(waiting, within()))).toMatchObject({
    code: 'TRANSPORT_UNAVAILABLE',
    message: host.errors[0]?.cause.message,
  })
  await transport.flush(within())
  await away.start()
  await eventually(() => transport.send(waiting, 'x')).toBe('sent')
  await transport.join(waiting, within())
  expect(await joinedOn(away)).toEqual([waiting])
  expect(host.downs).toEqual([])
})

test('does not open at first if one node refuses, and keeps no other connection', async () => {
  const [here, other] = await cluster()
  await redisCommand(other, 'CONFIG', 'SET', 'requirepass', 'of-the-other')
  const transport = transportTo(here, { ...SHARDED, password: 'of-neither' })
  const error = await rejection(transport.open(shortHost(), within()))
  expect(error.code).toBe('TRANSPORT_FAILED')
  expect(error.message).toContain(addressOf(other))
  await eventually(() => redisCommand(here, 'CLIENT', 'LIST')).not.toContain('name=rivulet')
})

test('a topic with frames in flight when its node is killed gets one error', async () => {
  const [here, away] = await cluster()
  const { transport, host } = await opened(here, SHARDED)
  for (const topic of TOPICS) await transport.join(topic, within())
  const topics = (await joinedOn(away)) as Topic[]
  await away.stop()
  for (const topic of topics) for (const frame of ['x', 'y']) transport.send(topic, frame)
  const flushed = transport.flush(within())
  await flushed
  const reported = host.errors.map(({ topic }) => topic)
  expect(reported.sort()).toEqual([...topics, undefined].sort())
  for (const topic of topics) expect(transport.send(topic, 'z')).toBe('offline')
  await eventually(() => host.endedJoins.map(({ topic }) => topic).sort()).toEqual([...topics].sort())
  expect(host.errors).toHaveLength(reported.length)
  expect(host.downs).toEqual([])
  away.cont()
})

test('a node that is away is dialled again with secrets that are asked anew', async () => {
  const [here, other] = await cluster()
  for (const broker of [here, other]) await redisCommand(broker, 'CONFIG', 'SET', 'requirepass', 'old')
  let password = 'old'
  const { transport, host } = await opened(here, { ...SHARDED, password: () => password })
  await redisCommand(other, '-a', 'old', 'CONFIG', 'SET', 'requirepass', 'new')
  await redisCommand(other, '-a', 'new', 'CLIENT', 'KILL', 'TYPE', 'normal')
  const refused = () => host.errors.map(({ cause }) => cause.message).join('\n')
  await eventually(refused).toMatch(/is away[\s\S]*WRONGPASS/)
  password = 'new'
  const answers = () => TOPICS.map((topic) => transport.send(topic, 'x'))
  await eventually(() => new Set(answers())).toEqual(new Set(['sent']))
  await transport.flush(within())
  expect(host.downs).toEqual([])
})

test('gives up the nodes that it dials with its signal, and keeps no connection', async () => {
  const [here, silent] = await cluster()
  await silent.stop()
  const giveUp = new AbortController()
  const opening = rejection(transportTo(here, SHARDED).open(shortHost(), giveUp.signal))
  // By now it has asked the answering node for the slots.
  await eventually(() => redisCommand(here, 'CLIENT', 'LIST')).toContain('name=rivulet')
  const reason = new Error('no longer')
  giveUp.abort(reason)
  expect(await opening).toBe(reason)
  await eventually(() => redisCommand(here, 'CLIENT', 'LIST')).not.toContain('name=rivulet')
  silent.cont()
})

test('stays up while no slot moves', async () => {
  const [here] = await cluster()
  const { transport, host } = await opened(here, SHARDED)
  // Once when it opens; then every two seconds.
  const asked = async () => {
    const stats = await redisCommand(here, 'INFO', 'commandstats')
    return Number(/cmdstat_cluster\|slots:calls=(\d+)/.exec(stats)?.[1])
  }
  await eventually(asked).toBeGreaterThan(3)
  await transport.flush(within())
  expect(host.downs).toEqual([])
})

test('joins a topic at the node that its slot moved to, and keeps those of other nodes', async () => {
  const brokers = await cluster()
  const { transport, host } = await opened(brokers[0], SHARDED)
  for (const topic of TOPICS) await transport.join(topic, within())
  const [ofFirst, ofSecond] = await Promise.all(brokers.map(joinedOn))
  const [moved] = ofFirst as [Topic]
  const slot = await redisCommand(brokers[0], 'CLUSTER', 'KEYSLOT', moved)
  const ids = await Promise.all(brokers.map((broker) => redisCommand(broker, 'CLUSTER', 'MYID')))
  for (const broker of [...brokers].reverse())
    await redisCommand(broker, 'CLUSTER', 'SETSLOT', slot, 'NODE', ids[1] as string)
  await eventually(() => host.endedJoins.map(({ topic }) => topic).sort()).toEqual(
    [...(ofFirst ?? [])].sort(),
  )
  await eventually(() => transport.join(moved, within()).then(() => joinedOn(brokers[1]), String)).toEqual(
    expect.arrayContaining([moved, ...(ofSecond ?? [])]),
  )
  expect(host.downs).toEqual([])
})

test.each([
  ['8192', '16383'],
  ['0', '8191'],
])('is offline on topics whose slot no node has, with an error: only %s to %s exist', async (...range) => {
  const node = await server({ cluster: true })
  await redisCommand(node, 'CLUSTER', 'ADDSLOTSRANGE', ...range)
  const { transport, host } = await opened(node, SHARDED)
  const answers = TOPICS.map((topic) => transport.send(topic, 'x'))
  expect(new Set(answers)).toEqual(new Set(['sent', 'offline']))
  const homeless = TOPICS[answers.indexOf('offline')] as Topic
  const { message } = await rejection(transport.join(homeless, within()))
  expect(message).toBe('no node has the slot of this channel')
  transport.leave(homeless)
  expect(host.downs).toEqual([])
})

test('remembers only some of many topics', async () => {
  const [broker] = await cluster()
  const { transport } = await opened(broker, SHARDED)
  await expectFewTopicsKept(transport)
})
