import { expect, onTestFinished, test } from 'vitest'
import type { Broker } from '../../../test/support/brokers.ts'
import { Authority } from '../../../test/support/certificates.ts'
import { type FaultProxy, startProxy } from '../../../test/support/fault-proxy.ts'
import { redisCommand } from '../../../test/support/redis-servers.ts'
import type { RedisOptions } from '../src/index.ts'
import { ALARMS, POSITIONS, Recorder, rejection, within } from './host.ts'
import { bareClient, eventually, opened, server, transportTo } from './scene.ts'

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

test('is not cut short by a second close', async () => {
  const broker = await server()
  const here = await opened(broker)
  const there = await opened(broker)
  await there.transport.join(POSITIONS, within())
  await broker.stop()
  here.transport.send(POSITIONS, 'x')
  const closing = [here.transport.close(within()), here.transport.close(within())]
  broker.cont()
  await Promise.all(closing)
  await there.transport.flush(within())
  expect(there.host.frames).toHaveLength(1)
})

test('opens again after the server was killed, and forgets the joins and the old host', async () => {
  const broker = await server()
  const { transport, host } = await opened(broker)
  await transport.join(POSITIONS, within())
  await broker.stop()
  for (let index = 0; index < 100; index += 1) expect(transport.send(POSITIONS, 'late')).toBe('sent')
  const waiting = rejection(transport.flush(within()))
  const joining = rejection(transport.join(ALARMS, within()))
  await broker.kill()
  expect((await waiting).message).toContain('ended')
  expect((await joining).message).toContain('ended')
  await eventually(() => host.downs.length).toBe(1)
  expect(host.downs[0]).toMatchObject({ code: 'TRANSPORT_UNAVAILABLE' })
  // That the frames did not get through is no refusal.
  expect(host.errors).toEqual([])
  expect((await rejection(transport.open(new Recorder(), within()))).code).toBe('TRANSPORT_UNAVAILABLE')
  await broker.restart()
  const next = new Recorder()
  await transport.open(next, within())
  const client = await bareClient(broker)
  await client.publish(POSITIONS, 'not joined')
  await transport.flush(within())
  expect([...host.frames, ...next.frames]).toEqual([])
  await transport.join(POSITIONS, within())
  await client.publish(POSITIONS, 'joined')
  await transport.flush(within())
  expect(next.frames).toEqual([{ topic: POSITIONS, text: 'joined' }])
  expect(host.frames).toEqual([])
})

test('reports a stopped server as down by itself, and closes while it is stopped', async () => {
  const broker = await server()
  const { transport, host } = await opened(broker)
  const other = await opened(broker)
  await broker.stop()
  transport.send(POSITIONS, 'x')
  expect((await rejection(transport.flush(AbortSignal.timeout(50)))).name).toBe('TimeoutError')
  await other.transport.close(AbortSignal.timeout(50))
  const opening = rejection(transportTo(broker).open(new Recorder(), within()))
  expect((await opening).message).toContain('no answer within 2000 ms')
  await eventually(() => host.downs.length).toBe(1)
  expect(host.downs[0]?.message).toContain('does not answer')
  broker.cont()
  await transport.open(new Recorder(), within())
  expect(other.host.downs).toEqual([])
})

test('stays up with a server that is idle for longer than a dead one is waited for', async () => {
  const broker = await server()
  const { host } = await opened(broker, { name: 'idle' })
  const pings = async () =>
    Number(/cmdstat_ping:calls=(\d+)/.exec(await redisCommand(broker, 'INFO', 'commandstats'))?.[1] ?? 0)
  await eventually(pings).toBeGreaterThan(3)
  expect(host).toMatchObject({ downs: [], errors: [] })
})

test.each(['plain text', 'TLS'] as const)(
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
    await expectOnlyFresh(transport, proxy, receiver, host)
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
  await expectOnlyFresh(transport, proxy, receiver, host)
})

test('is down when the server cuts it off since it reads too slowly', async () => {
  const broker = await server({ config: 'client-output-buffer-limit pubsub 64kb 0 0' })
  const proxy = await proxyTo(broker)
  const { transport, host } = await opened([`127.0.0.1:${proxy.port}`])
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

test('gives an open up when its signal aborts and when it is closed', async () => {
  const broker = await server()
  await broker.stop()
  const reason = new Error('no longer')
  const control = new AbortController()
  const opening = rejection(transportTo(broker).open(new Recorder(), control.signal))
  control.abort(reason)
  expect(await opening).toBe(reason)
  const transport = transportTo(broker)
  const closed = rejection(transport.open(new Recorder(), within()))
  await transport.close(within())
  expect((await closed).message).toContain('closed while it connected')
  broker.cont()
  await eventually(() => redisCommand(broker, 'INFO', 'clients')).toContain('connected_clients:1\r')
})

async function expectOnlyFresh(
  transport: ReturnType<typeof transportTo>,
  proxy: FaultProxy,
  receiver: ReturnType<typeof transportTo>,
  host: Recorder,
): Promise<void> {
  await eventually(() => proxy.waitingBytes).toBe(0)
  proxy.mode = 'pass'
  await eventually(() => proxy.connections).toBe(0)
  await transport.open(new Recorder(), within())
  transport.send(POSITIONS, 'fresh')
  await transport.flush(within())
  await receiver.flush(within())
  expect(host.frames).toEqual([{ topic: POSITIONS, text: 'fresh' }])
}

async function secured(kind: 'plain text' | 'TLS'): Promise<{ broker: Broker; options: RedisOptions }> {
  if (kind === 'plain text') return { broker: await server(), options: {} }
  const authority = new Authority()
  onTestFinished(() => authority.close())
  return { broker: await server({ tls: authority.issue() }), options: { tls: { ca: authority.ca } } }
}

async function proxyTo(broker: Broker): Promise<FaultProxy> {
  const proxy = await startProxy(broker)
  onTestFinished(() => proxy.close())
  return proxy
}
