import { expect, test } from 'vitest'
import { testEndings } from '../../../test/support/adapters/endings.ts'
import { addressOf, authority, proxyTo } from '../../../test/support/adapters/scene.ts'
import { POSITIONS, within } from '../../../test/support/adapters/waits.ts'
import { eventually } from '../../../test/support/live.ts'
import { redisCommand } from '../../../test/support/redis-servers.ts'
import { bareClient, opened, scene, server } from './scene.ts'

testEndings({
  scene,
  observable: {},
  async connections(broker) {
    const clients = await redisCommand(broker, 'INFO', 'clients')
    return Number(/connected_clients:(\d+)/.exec(clients)?.[1])
  },
  async publish(broker, text) {
    await (await bareClient(broker)).publish(POSITIONS, text)
  },
  links: {
    'plain text': async () => ({ broker: await server(), options: {} }),
    async TLS() {
      const trusted = authority()
      return { broker: await server({ tls: trusted.issue() }), options: { tls: { ca: trusted.ca } } }
    },
  },
})

test('stays up with a server that is idle for longer than a dead one is waited for', async () => {
  const broker = await server()
  const { host } = await opened(broker, { name: 'idle' })
  const pings = async () =>
    Number(/cmdstat_ping:calls=(\d+)/.exec(await redisCommand(broker, 'INFO', 'commandstats'))?.[1] ?? 0)
  await eventually(pings).toBeGreaterThan(3)
  expect(host).toMatchObject({ downs: [], errors: [] })
})

test('is down when the server cuts it off since it reads too slowly', async () => {
  const broker = await server({ config: 'client-output-buffer-limit pubsub 64kb 0 0' })
  const proxy = await proxyTo(broker)
  const { transport, host } = await opened([addressOf(proxy)])
  await transport.join(POSITIONS, within())
  proxy.mode = 'freeze'
  const client = await bareClient(broker)
  while ((await redisCommand(broker, 'PUBSUB', 'NUMSUB', POSITIONS)).endsWith('\n1')) {
    await client.publish(POSITIONS, 'x'.repeat(65_536))
  }
  proxy.mode = 'pass'
  await eventually(() => host.downs.length).toBe(1)
  expect(broker.log()).toContain('overcoming of output buffer limits')
})
