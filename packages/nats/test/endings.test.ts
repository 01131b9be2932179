import type { NatsConnection } from '@nats-io/transport-node'
import { expect, onTestFinished, test } from 'vitest'
import { testEndings } from '../../../test/support/adapters/endings.ts'
import { addressOf, authority } from '../../../test/support/adapters/scene.ts'
import { ALARMS, POSITIONS, rejection, shortHost, within } from '../../../test/support/adapters/waits.ts'
import { type Broker, startNatsCluster } from '../../../test/support/brokers.ts'
import { freePort } from '../../../test/support/free-port.ts'
import { eventually } from '../../../test/support/live.ts'
import { bareClient, opened, scene, secureServer, server } from './scene.ts'

testEndings({
  scene,
  observable: { monitor: true },
  connections: async (broker) => (await broker.monitor<{ connections: number }>('varz')).connections,
  async publish(broker, text) {
    const client = await bareClient(broker)
    client.publish('rivulet.fleet.positions', text)
    await client.flush()
  },
  links: {
    'plain text': async () => ({ broker: await server(), options: {} }),
    TLS: () => secured(false),
    'TLS first': () => secured(true),
  },
})

async function secured(handshakeFirst: boolean) {
  const trusted = authority()
  const { broker, tls } = await secureServer(trusted, trusted.issue(), handshakeFirst)
  return { broker, options: { tls } }
}

test('moves to another server with its joins when its own announces its shutdown', async () => {
  const brokers = [await server({ monitor: true }), await server({ monitor: true })]
  const { transport, host } = await opened(brokers.map(addressOf), { name: 'mover' })
  await transport.join(POSITIONS, within())
  const watching = new AbortController()
  await transport.watch('fleet', watching.signal)
  const isOnFirst = (await connectionNames(brokers[0])).includes('mover')
  const [leaving, staying] = (isOnFirst ? brokers : [...brokers].reverse()) as [Broker, Broker]
  const client = await bareClient(leaving)
  const heard: string[] = []
  client.subscribe('rivulet.fleet.positions', {
    callback: (_error, message) => void heard.push(message.string()),
  })
  await client.flush()
  transport.send(POSITIONS, 'just before')
  leaving.signal('SIGUSR2')
  await eventually(() => connectionNames(staying)).toContain('mover')
  // The server would keep it for many seconds more.
  await eventually(() => connectionNames(leaving)).not.toContain('mover')
  await client.flush()
  expect(heard).toEqual(['just before'])
  await leaving.kill()
  const other = await opened(staying)
  await other.transport.join(POSITIONS, within())
  transport.send(POSITIONS, 'there')
  other.transport.send(POSITIONS, 'back')
  await Promise.all([transport.flush(within()), other.transport.flush(within())])
  await eventually(() => other.host.frames).toEqual([{ topic: POSITIONS, text: 'there' }])
  await eventually(() => host.frames).toEqual([{ topic: POSITIONS, text: 'back' }])
  expect(host.watchedFrames).toEqual([{ topic: POSITIONS, text: 'back' }])
  transport.leave(POSITIONS)
  watching.abort()
  other.transport.send(POSITIONS, 'unheard')
  await other.transport.flush(within())
  await transport.join(POSITIONS, within())
  expect(host).toMatchObject({ downs: [], errors: [], endedJoins: [] })
  expect([host.frames.length, host.watchedFrames.length]).toEqual([1, 1])
})

test('stays on a server that shuts down until its end when no other accepts it', async () => {
  const broker = await server()
  const away = `127.0.0.1:${await freePort()}`
  const { transport, host } = await opened([addressOf(broker), away])
  await transport.join(POSITIONS, within())
  const client = await bareClient(broker)
  const announced = leaving(client)
  broker.signal('SIGUSR2')
  await announced
  client.publish('rivulet.fleet.positions', 'before its end')
  await client.flush()
  await eventually(() => host.frames).toEqual([{ topic: POSITIONS, text: 'before its end' }])
  await transport.join(ALARMS, within())
  await transport.flush(within())
  expect(host.downs).toEqual([])
  await broker.kill()
  await eventually(() => host.downs.length).toBe(1)
  expect(host.downs[0]).toMatchObject({ code: 'TRANSPORT_UNAVAILABLE' })
  expect(host.downs[0]?.message).toContain('lame duck')
  await transport.close(within())
})

test('closes while it moves to another server, and leaves no connection behind', async () => {
  const brokers = [await server({ monitor: true }), await server({ monitor: true })]
  const { transport } = await opened(brokers.map(addressOf), { name: 'mover' })
  const isOnFirst = (await connectionNames(brokers[0])).includes('mover')
  const [leavingServer, staying] = (isOnFirst ? brokers : [...brokers].reverse()) as [Broker, Broker]
  const client = await bareClient(leavingServer)
  const announced = leaving(client)
  leavingServer.signal('SIGUSR2')
  await announced
  await transport.close(within())
  for (const broker of [leavingServer, staying])
    await eventually(() => connectionNames(broker)).not.toContain('mover')
})

/** Resolves when a server announces to the client that it will shut down. */
async function leaving(client: NatsConnection): Promise<void> {
  for await (const { type } of client.status()) if (type === 'ldm') return
}

test('learns other servers of the cluster only when asked to', async () => {
  const brokers = await startNatsCluster(2)
  onTestFinished(async () => {
    await Promise.all(brokers.map((broker) => broker.close()))
  })
  const [first] = brokers
  if (!first) throw new Error('no cluster')
  const [discoveringHost, fixedHost] = [shortHost(), shortHost()]
  const discovering = await opened(first, { discover: true }, discoveringHost)
  const configured = await opened(first, {}, fixedHost)
  await first.kill()
  await eventually(() => discoveringHost.downs.length + fixedHost.downs.length).toBe(2)
  await discovering.transport.open(shortHost(), within())
  await rejection(configured.transport.open(shortHost(), within()))
})

async function connectionNames(broker: Broker | undefined): Promise<string[]> {
  const page = await broker?.monitor<{ connections: { name: string }[] }>('connz')
  return page?.connections.map((connection) => connection.name) ?? []
}
