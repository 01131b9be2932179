import { expect, onTestFinished, test } from 'vitest'
import { type Broker, startNatsCluster } from '../../../test/support/brokers.ts'
import { Authority } from '../../../test/support/certificates.ts'
import { type FaultProxy, startProxy } from '../../../test/support/fault-proxy.ts'
import type { NatsOptions } from '../src/index.ts'
import { ALARMS, POSITIONS, Recorder, rejection, within } from './host.ts'
import { addressOf, bareClient, eventually, opened, server, transportTo } from './scene.ts'

test('is offline before open, after close and after down', async () => {
  const broker = await server()
  const transport = transportTo(broker)
  const host = new Recorder()
  const isOffline = async () => {
    expect(transport.send(POSITIONS, 'x')).toBe('offline')
    await rejection(transport.flush(within()))
    await rejection(transport.join(POSITIONS, within()))
    transport.leave(POSITIONS)
  }
  await isOffline()
  await transport.open(host, within())
  const closing = transport.close(within())
  await isOffline()
  await closing
  await isOffline()
  await transport.close(within())
  await transport.open(host, within())
  await broker.kill()
  await eventually(() => host.downs.length).toBe(1)
  await isOffline()
  await transport.close(within())
  expect(host.downs).toHaveLength(1)
})

test('hands over everything that was sent before a close', async () => {
  const broker = await server()
  const here = await opened(broker)
  const there = await opened(broker)
  await there.transport.join(POSITIONS, within())
  for (let index = 0; index < 1000; index += 1) here.transport.send(POSITIONS, String(index))
  await here.transport.close(within())
  await there.transport.flush(within())
  expect(there.host.frames.map((frame) => Number(frame.text))).toEqual([...Array(1000).keys()])
})

test('opens again after the server was killed, and forgets the joins and the old host', async () => {
  const broker = await server()
  const { transport, host } = await opened(broker)
  await transport.join(POSITIONS, within())
  await broker.stop()
  const waiting = rejection(transport.flush(within()))
  const joining = rejection(transport.join(ALARMS, within()))
  await broker.kill()
  expect((await waiting).message).toContain('ended')
  expect((await joining).message).toContain('ended')
  await eventually(() => host.downs.length).toBe(1)
  expect(host.downs[0]).toMatchObject({ code: 'TRANSPORT_UNAVAILABLE' })
  expect((await rejection(transport.open(new Recorder(), within()))).code).toBe('TRANSPORT_UNAVAILABLE')
  await broker.restart()
  const next = new Recorder()
  await transport.open(next, within())
  const client = await bareClient(broker)
  client.publish('rivulet.fleet.positions', 'not joined')
  await client.flush()
  await transport.flush(within())
  expect([...host.frames, ...next.frames]).toEqual([])
  await transport.join(POSITIONS, within())
  client.publish('rivulet.fleet.positions', 'joined')
  await client.flush()
  await transport.flush(within())
  expect(next.frames).toHaveLength(1)
  expect(host.frames).toEqual([])
})

test('reports a stopped server as down by itself, and closes while it is stopped', async () => {
  const broker = await server()
  const { transport, host } = await opened(broker)
  const other = await opened(broker)
  await broker.stop()
  transport.send(POSITIONS, 'x')
  const aborted = rejection(transport.flush(AbortSignal.timeout(50)))
  expect((await aborted).name).toBe('TimeoutError')
  await other.transport.close(AbortSignal.timeout(50))
  expect((await rejection(transportTo(broker).open(new Recorder(), within()))).message).toContain('timeout')
  await eventually(() => host.downs.length).toBe(1)
  broker.cont()
  await transport.open(new Recorder(), within())
  expect(other.host.downs).toEqual([])
})

const TLS_KINDS = ['plain text', 'TLS', 'TLS first'] as const

test.each(TLS_KINDS)(
  'takes back what has not got through when it is closed in haste, over %s',
  async (kind) => {
    const { broker, options } = await secured(kind)
    const { transport: receiver, host } = await opened(broker, options)
    await receiver.join(POSITIONS, within())
    const proxy = await proxyTo(broker)
    const { transport } = await opened([`127.0.0.1:${proxy.port}`], options)
    proxy.mode = 'unplug'
    expect(transport.send(POSITIONS, 'late')).toBe('sent')
    await eventually(() => proxy.waitingBytes).toBeGreaterThan(0)
    await transport.close(AbortSignal.abort())
    await eventually(() => proxy.waitingBytes).toBe(0)
    proxy.mode = 'pass'
    await eventually(() => proxy.connections).toBe(0)
    await transport.open(new Recorder(), within())
    transport.send(POSITIONS, 'fresh')
    await transport.flush(within())
    await receiver.flush(within())
    expect(host.frames).toEqual([{ topic: POSITIONS, text: 'fresh' }])
  },
)

test('takes back what has not got through when its pings are not answered', async () => {
  const broker = await server()
  const { transport: receiver, host } = await opened(broker)
  await receiver.join(POSITIONS, within())
  const proxy = await proxyTo(broker)
  const { transport, host: told } = await opened([`127.0.0.1:${proxy.port}`])
  proxy.mode = 'unplug'
  expect(transport.send(POSITIONS, 'late')).toBe('sent')
  await eventually(() => told.downs.length).toBe(1)
  expect(told.downs[0]).toMatchObject({ code: 'TRANSPORT_UNAVAILABLE' })
  expect(told.downs[0]?.message).toContain('does not answer')
  await eventually(() => proxy.waitingBytes).toBe(0)
  proxy.mode = 'pass'
  await eventually(() => proxy.connections).toBe(0)
  await transport.open(new Recorder(), within())
  transport.send(POSITIONS, 'fresh')
  await transport.flush(within())
  await receiver.flush(within())
  expect(host.frames).toEqual([{ topic: POSITIONS, text: 'fresh' }])
})

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

test('tries every server until one answers', async () => {
  const broker = await server()
  const gone = await server()
  await gone.close()
  for (let round = 0; round < 5; round += 1) {
    const { transport } = await opened([addressOf(gone), addressOf(broker)])
    await transport.close(within())
  }
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

async function secured(kind: (typeof TLS_KINDS)[number]): Promise<{ broker: Broker; options: NatsOptions }> {
  if (kind === 'plain text') return { broker: await server(), options: {} }
  const authority = new Authority()
  onTestFinished(() => authority.close())
  const { certFile, keyFile } = authority.issue()
  const handshakeFirst = kind === 'TLS first'
  const first = handshakeFirst ? ', handshake_first: true' : ''
  const config = `tls { cert_file: "${certFile}", key_file: "${keyFile}"${first} }`
  return { broker: await server({ config }), options: { tls: { ca: authority.ca, handshakeFirst } } }
}

async function proxyTo(broker: Broker): Promise<FaultProxy> {
  const proxy = await startProxy(broker)
  onTestFinished(() => proxy.close())
  return proxy
}
