import { expect, test } from 'vitest'
import { addressOf } from '../../../test/support/adapters/scene.ts'
import { POSITIONS, rejection, shortHost, within } from '../../../test/support/adapters/waits.ts'
import type { Broker } from '../../../test/support/brokers.ts'
import { eventually, makeLive } from '../../../test/support/live.ts'
import { REDIS_PROGRAMS, type RedisProgram, redisCommand } from '../../../test/support/redis-servers.ts'
import { opened, server, transportTo } from './scene.ts'

const PERMITTED =
  'user fleet on >right resetchannels &rivulet/* -@all +hello +ping +publish +subscribe +unsubscribe'
const fleet = { username: 'fleet', password: 'right' }

async function refusal(broker: Broker, options = {}): Promise<Error & { code?: string }> {
  return await rejection(transportTo(broker, options).open(shortHost(), within()))
}

/** Starts a server and a replica of it. */
async function pair(kind: RedisProgram, config = ''): Promise<readonly [Broker, Broker]> {
  const master = await server({ server: kind, config })
  const replica = await server({ server: kind, config: `replicaof 127.0.0.1 ${master.port}\n${config}` })
  return [master, replica]
}

for (const kind of REDIS_PROGRAMS) {
  test(`a replica is refused until it is promoted, ${kind}`, async () => {
    const [master, replica] = await pair(kind)
    const error = await refusal(replica)
    expect(error.code).toBe('TRANSPORT_FAILED')
    expect(error.message).toBe(
      `No Redis server took the connection (${addressOf(replica)}: it is a replica of ${addressOf(master)}; name the master, or use redis-sentinel:).`,
    )
    await redisCommand(replica, 'REPLICAOF', 'NO', 'ONE')
    const { transport } = await opened(replica)
    await transport.flush(within())
  })

  test(`a replica is distinguished from a master without further permissions, ${kind}`, async () => {
    const [master, replica] = await pair(kind, PERMITTED)
    const error = await refusal(replica, fleet)
    expect(error.message).toContain(': it is a replica; name the master')
    expect(error.message).not.toContain('right')
    const { transport, host } = await opened([addressOf(replica), addressOf(master)], fleet)
    await transport.join(POSITIONS, within())
    transport.send(POSITIONS, 'x')
    await transport.flush(within())
    expect(host).toMatchObject({ frames: [{ text: 'x' }], errors: [] })
  })

  test(`a hub leaves a master that becomes a replica, ${kind}`, async () => {
    const [master, other] = await pair(kind)
    const hub = makeLive({ transport: transportTo([addressOf(master), addressOf(other)]) })
    const errors: string[] = []
    hub.on('error', ({ message }) => errors.push(message))
    const stream = hub.stream('positions', { limit: false })
    await stream.subscribe(() => {}).ready
    await redisCommand(other, 'REPLICAOF', 'NO', 'ONE')
    await redisCommand(master, 'REPLICAOF', '127.0.0.1', String(other.port))
    await eventually(() => {
      stream.publish({})
      return errors.join('\n')
    }).toContain('The connection to Redis ended: the server has become a replica.')
    await hub.ready()
    await eventually(() => redisCommand(other, 'PUBSUB', 'CHANNELS')).toBe('rivulet/default/positions')
    expect(await redisCommand(master, 'CLIENT', 'LIST')).not.toContain('name=rivulet')
  })

  test(`a Sentinel is refused with advice on its option, ${kind}`, async () => {
    const master = await server({ server: kind })
    const sentinel = await server({ server: kind, sentinelOf: master })
    const error = await refusal(sentinel)
    expect(error.code).toBe('TRANSPORT_FAILED')
    expect(error.message).toBe(
      `No Redis server took the connection (${addressOf(sentinel)}: it is a Sentinel; name it as redis-sentinel://host:port?master=name).`,
    )
  })
}
