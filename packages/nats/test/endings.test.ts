import { expect, onTestFinished, test } from 'vitest'
import { testEndings } from '../../../test/support/adapters/endings.ts'
import { POSITIONS, Recorder, rejection, within } from '../../../test/support/adapters/recorder.ts'
import { addressOf, authority } from '../../../test/support/adapters/scene.ts'
import { type Broker, startNatsCluster } from '../../../test/support/brokers.ts'
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

test('goes to another server when its own announces that it will shut down', async () => {
  const brokers = [await server({ monitor: true }), await server({ monitor: true })]
  const { transport, host } = await opened(brokers.map(addressOf), { name: 'mover' })
  const isOnFirst = (await connectionNames(brokers[0])).includes('mover')
  const [leaving, staying] = isOnFirst ? brokers : [...brokers].reverse()
  const client = await bareClient(leaving as Broker)
  const heard: string[] = []
  client.subscribe('rivulet.fleet.positions', {
    callback: (_error, message) => void heard.push(message.string()),
  })
  await client.flush()
  transport.send(POSITIONS, 'just before')
  leaving?.signal('SIGUSR2')
  await eventually(() => host.downs.length).toBe(1)
  expect(host.downs[0]?.message).toContain('lame duck')
  expect(transport.send(POSITIONS, 'x')).toBe('offline')
  const next = new Recorder()
  await transport.open(next, within())
  expect(await connectionNames(staying)).toEqual(['mover'])
  // The server would keep it for many seconds more.
  await eventually(() => connectionNames(leaving)).not.toContain('mover')
  await client.flush()
  expect(heard).toEqual(['just before'])
  await leaving?.kill()
  await transport.flush(within())
  expect(next.downs).toEqual([])
  expect(host.downs).toHaveLength(1)
})

test('learns other servers of the cluster only when asked to', async () => {
  const brokers = await startNatsCluster(2)
  onTestFinished(async () => {
    await Promise.all(brokers.map((broker) => broker.close()))
  })
  const [first] = brokers
  if (!first) throw new Error('no cluster')
  const [told, untold] = [new Recorder(), new Recorder()]
  const discovering = await opened(first, { discover: true }, told)
  const configured = await opened(first, {}, untold)
  await first.kill()
  await eventually(() => told.downs.length + untold.downs.length).toBe(2)
  await discovering.transport.open(new Recorder(), within())
  await rejection(configured.transport.open(new Recorder(), within()))
})

async function connectionNames(broker: Broker | undefined): Promise<string[]> {
  const page = await broker?.monitor<{ connections: { name: string }[] }>('connz')
  return page?.connections.map((connection) => connection.name) ?? []
}
