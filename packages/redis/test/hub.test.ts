import { createHub, type Hub, RivuletError } from 'rivulet'
import { expect, onTestFinished, test } from 'vitest'
import type { Broker } from '../../../test/support/brokers.ts'
import { eventually } from '../../../test/support/live.ts'
import { redisCommand } from '../../../test/support/redis-servers.ts'
import { bareClient, server, transportTo } from './scene.ts'

const CHANNEL = 'rivulet/fleet/positions'
const FLEET = 'user fleet on >right +@all'
const fleet = { username: 'fleet', password: 'right' }

/** Opens a hub that closes with the test, and records its events and those of its stream `positions`. */
async function openHub(broker: Broker) {
  const hub: Hub = createHub({ transport: transportTo(broker, fleet), name: 'fleet' })
  onTestFinished(async () => {
    await hub.close()
  })
  const errors: unknown[] = []
  const heard: unknown[] = []
  hub.on('error', (error) => errors.push(error))
  const stream = hub.stream('positions')
  stream.on('error', (error) => errors.push(error))
  const subscription = stream.subscribe(({ data, isLocal }) => isLocal || heard.push(data))
  await hub.ready()
  return { hub, stream, subscription, errors, heard }
}

test('joins a stream again once a permission that was revoked is granted', async () => {
  const broker = await server({ config: `${FLEET} &rivulet/fleet/*` })
  const { subscription, errors, heard } = await openHub(broker)
  const client = await bareClient(broker)
  const publish = (n: number) => client.publish(CHANNEL, JSON.stringify({ data: { n } }))
  const first = subscription.ready
  await first
  await publish(1)
  await eventually(() => heard).toEqual([{ n: 1 }])

  await redisCommand(broker, 'ACL', 'SETUSER', 'fleet', 'resetchannels')
  await eventually(() => errors).toContainEqual(
    expect.objectContaining({ code: 'TRANSPORT_FAILED', stream: 'positions' }),
  )
  expect(subscription.ready).not.toBe(first)
  await publish(2)

  await redisCommand(broker, 'ACL', 'SETUSER', 'fleet', '&rivulet/fleet/*')
  const outcome = () =>
    subscription.ready.then(
      () => 'joined',
      (error) => error.code,
    )
  await eventually(outcome).toBe('joined')
  await publish(3)
  await eventually(() => heard).toEqual([{ n: 1 }, { n: 3 }])
})

test('counts a denied publish as unconfirmed, and reports it on its stream', async () => {
  const broker = await server({ config: `${FLEET} &rivulet/fleet/*` })
  const { hub, stream, subscription, errors } = await openHub(broker)
  await subscription.ready
  await redisCommand(broker, 'ACL', 'SETUSER', 'fleet', '-publish')
  stream.publish({ n: 1 })
  await hub.flush()
  await eventually(() => errors.length).toBe(1)
  expect(RivuletError.is(errors[0])).toBe(true)
  expect(errors[0]).toMatchObject({ code: 'TRANSPORT_FAILED', hub: 'fleet', stream: 'positions' })
  expect((errors[0] as Error).message).toContain('NOPERM')
  expect(stream.ledger()).toMatchObject({ accepted: 1, confirmed: 0, unconfirmed: 1 })
  expect(hub.status).toBe('up')
})

test('is down, and joined again, when the server cuts a slow subscriber off', async () => {
  const broker = await server({ config: `${FLEET} allchannels` })
  const { hub, subscription, heard } = await openHub(broker)
  const statuses: string[] = []
  hub.on('status', (status) => statuses.push(status))
  await subscription.ready
  const client = await bareClient(broker)
  await redisCommand(broker, 'CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 100kb 0 0')
  // More than that at once, so that no reader is fast enough.
  const burst = client.multi()
  const frame = (n: number) => JSON.stringify({ data: { n, x: 'x'.repeat(4000) } })
  for (let n = 0; n < 100; n += 1) burst.publish(CHANNEL, frame(n))
  await burst.exec()
  await eventually(() => statuses).toEqual(['down', 'up'])
  await subscription.ready
  await client.publish(CHANNEL, '{"data":{"n":100}}')
  await eventually(() => heard.at(-1)).toEqual({ n: 100 })
})
