import type { Topic } from 'rivulet'
import { expect, onTestFinished, test } from 'vitest'
import { expectFewTopicsKept } from '../../../test/support/adapters/many-topics.ts'
import { Recorder, rejection, within } from '../../../test/support/adapters/recorder.ts'
import { addressOf } from '../../../test/support/adapters/scene.ts'
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

/** The topics that somebody has joined on a node. */
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
  const { transport } = await opened(brokers[0], SHARDED)
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

test('does not open while a node is away, and keeps no connection to the others', async () => {
  const [here, away] = await cluster()
  await away.kill()
  const error = await rejection(transportTo(here, SHARDED).open(new Recorder(), within()))
  expect(error.code).toBe('TRANSPORT_UNAVAILABLE')
  expect(error.message).toContain(addressOf(away))
  await eventually(() => redisCommand(here, 'CLIENT', 'LIST')).not.toContain('name=rivulet')
})

test('gives up the nodes that it dials with its signal, and keeps no connection', async () => {
  const [here, silent] = await cluster()
  await silent.stop()
  const giveUp = new AbortController()
  const opening = rejection(transportTo(here, SHARDED).open(new Recorder(), giveUp.signal))
  // Of the node that answers it has asked for the slots by now, and come back.
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

test('says that slots have moved', async () => {
  const brokers = await cluster()
  const { host } = await opened(brokers[0], SHARDED)
  const ids = await Promise.all(brokers.map((broker) => redisCommand(broker, 'CLUSTER', 'MYID')))
  for (const broker of [...brokers].reverse())
    await redisCommand(broker, 'CLUSTER', 'SETSLOT', '0', 'NODE', ids[1] as string)
  await eventually(() => host.downs.length).toBe(1)
  expect(host.downs[0]).toMatchObject({
    code: 'TRANSPORT_UNAVAILABLE',
    message: 'The connection to Redis ended: slots of the cluster have moved.',
  })
})

test.each([
  ['8192', '16383'],
  ['0', '8191'],
])('is offline on topics whose slot no node has, and says so: only %s to %s are there', async (...range) => {
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
