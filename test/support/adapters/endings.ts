import type { Transport } from 'rivulet'
import type { RecordingHost } from 'rivulet/testing'
import { expect, test } from 'vitest'
import type { Broker } from '../brokers.ts'
import type { FaultProxy } from '../fault-proxy.ts'
import { eventually } from '../live.ts'
import { type AdapterScene, addressOf, proxyTo } from './scene.ts'
import { ALARMS, POSITIONS, rejection, shortHost, within } from './waits.ts'

/** What the tests of a connection's end need of an adapter. */
export interface Endings<ServerOptions, Options> {
  readonly scene: AdapterScene<ServerOptions, Options>
  /** For servers that tell of their connections. */
  readonly observable: ServerOptions
  /** How many connections such a server has. */
  connections(broker: Broker): Promise<number>
  /** Publishes a frame on `POSITIONS` with another client; resolves when the server has it. */
  publish(broker: Broker, text: string): Promise<void>
  /** By the kind of a link: starts a server with it, and gives the options to connect over it. */
  readonly links: Readonly<Record<string, () => Promise<{ broker: Broker; options: Options }>>>
}

/** Tests how the connections of an adapter end: closed, killed, stopped and unplugged. */
export function testEndings<ServerOptions, Options>(endings: Endings<ServerOptions, Options>): void {
  testClosing(endings)
  testLosses(endings)
  testHaste(endings)
}

function testClosing<ServerOptions, Options>(endings: Endings<ServerOptions, Options>): void {
  const { server, transportTo, opened } = endings.scene

  test('is offline before open, after close and after down', async () => {
    const broker = await server()
    const transport = transportTo(broker)
    const host = shortHost()
    const isOffline = async () => {
      expect(transport.send(POSITIONS, 'x')).toBe('offline')
      expect((await rejection(transport.flush(within()))).message).toMatch(/connection/)
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
    const [here, there] = [await opened(broker), await opened(broker)]
    await there.transport.join(POSITIONS, within())
    for (let index = 0; index < 1000; index += 1) here.transport.send(POSITIONS, String(index))
    await here.transport.close(within())
    await there.transport.flush(within())
    expect(there.host.frames.map((frame) => Number(frame.text))).toEqual([...Array(1000).keys()])
  })

  test('is not cut short by a second close', async () => {
    const broker = await server()
    const [here, there] = [await opened(broker), await opened(broker)]
    await there.transport.join(POSITIONS, within())
    await broker.stop()
    here.transport.send(POSITIONS, 'x')
    const closing = [here.transport.close(within()), here.transport.close(within())]
    broker.cont()
    await Promise.all(closing)
    await there.transport.flush(within())
    expect(there.host.frames).toHaveLength(1)
  })

  test('gives an open up when its signal aborts and when it is closed', async () => {
    const broker = await server(endings.observable)
    const before = await endings.connections(broker)
    await broker.stop()
    const reason = new Error('no longer')
    const control = new AbortController()
    const opening = rejection(transportTo(broker).open(shortHost(), control.signal))
    control.abort(reason)
    expect(await opening).toBe(reason)
    const transport = transportTo(broker)
    const closed = rejection(transport.open(shortHost(), within()))
    await transport.close(within())
    expect((await closed).message).toContain('closed while it connected')
    broker.cont()
    await eventually(() => endings.connections(broker)).toBe(before)
  })

  test('tries every server until one answers', async () => {
    const [broker, gone] = [await server(), await server()]
    await gone.close()
    for (let round = 0; round < 5; round += 1) {
      const { transport } = await opened([addressOf(gone), addressOf(broker)])
      await transport.close(within())
    }
    const alone = transportTo(gone)
    expect((await rejection(alone.open(shortHost(), within()))).code).toBe('TRANSPORT_UNAVAILABLE')
  })
}

function testLosses<ServerOptions, Options>(endings: Endings<ServerOptions, Options>): void {
  const { server, transportTo, opened } = endings.scene

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
    expect((await rejection(transport.open(shortHost(), within()))).code).toBe('TRANSPORT_UNAVAILABLE')
    await broker.restart()
    const next = shortHost()
    await transport.open(next, within())
    await endings.publish(broker, 'not joined')
    await transport.flush(within())
    expect([...host.frames, ...next.frames]).toEqual([])
    await transport.join(POSITIONS, within())
    await endings.publish(broker, 'joined')
    await transport.flush(within())
    expect(next.frames).toEqual([{ topic: POSITIONS, text: 'joined' }])
    expect(host.frames).toEqual([])
  })

  test('reports a stopped server as down by itself, and closes while it is stopped', async () => {
    const broker = await server()
    const [{ transport, host }, other] = [await opened(broker), await opened(broker)]
    await broker.stop()
    transport.send(POSITIONS, 'x')
    expect((await rejection(transport.flush(AbortSignal.timeout(50)))).name).toBe('TimeoutError')
    await other.transport.close(AbortSignal.timeout(50))
    const opening = rejection(transportTo(broker).open(shortHost(), within()))
    expect((await opening).message).toMatch(/timeout|no answer within/)
    await eventually(() => host.downs.length).toBe(1)
    expect(host.downs[0]?.message).toContain('does not answer')
    broker.cont()
    await transport.open(shortHost(), within())
    expect(other.host.downs).toEqual([])
  })
}

function testHaste<ServerOptions, Options>({ scene, links }: Endings<ServerOptions, Options>): void {
  test.each(Object.entries(links))(
    'takes back what has not got through when it is closed in haste, over %s',
    async (_kind, link) => {
      const { broker, options } = await link()
      const { transport: receiver, host } = await scene.opened(broker, options)
      await receiver.join(POSITIONS, within())
      const proxy = await proxyTo(broker)
      const { transport } = await scene.opened([addressOf(proxy)], options)
      proxy.mode = 'unplug'
      expect(transport.send(POSITIONS, 'late')).toBe('sent')
      await eventually(() => proxy.waitingBytes).toBeGreaterThan(0)
      await transport.close(AbortSignal.abort())
      await expectOnlyFresh(transport, proxy, receiver, host)
    },
  )

  test('takes back what has not got through when its pings are not answered', async () => {
    const broker = await scene.server()
    const { transport: receiver, host } = await scene.opened(broker)
    await receiver.join(POSITIONS, within())
    const proxy = await proxyTo(broker)
    const { transport, host: told } = await scene.opened([addressOf(proxy)])
    proxy.mode = 'unplug'
    expect(transport.send(POSITIONS, 'late')).toBe('sent')
    await eventually(() => told.downs.length).toBe(1)
    expect(told.downs[0]).toMatchObject({ code: 'TRANSPORT_UNAVAILABLE' })
    expect(told.downs[0]?.message).toContain('does not answer')
    await expectOnlyFresh(transport, proxy, receiver, host)
  })
}

async function expectOnlyFresh(
  transport: Transport,
  proxy: FaultProxy,
  receiver: Transport,
  host: RecordingHost,
): Promise<void> {
  await eventually(() => proxy.waitingBytes).toBe(0)
  proxy.mode = 'pass'
  await eventually(() => proxy.connections).toBe(0)
  await transport.open(shortHost(), within())
  transport.send(POSITIONS, 'fresh')
  await transport.flush(within())
  await receiver.flush(within())
  expect(host.frames).toEqual([{ topic: POSITIONS, text: 'fresh' }])
}
