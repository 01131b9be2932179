import type { Transport } from 'rivulet'
import type { RecordingHost } from 'rivulet/testing'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { endless, rejection } from '../../../test/support/adapters/waits.ts'
import { type Broker, startMosquitto } from '../../../test/support/brokers.ts'
import { type FaultProxy, startProxy } from '../../../test/support/fault-proxy.ts'
import { closeAll, framesOf, make, open, patientHost, topicOf, until } from './open.ts'

const TOPIC = topicOf('positions')

describe.each([5, 4] as const)('under protocol %i', (protocol) => {
  test('a killed broker ends everything that waits, once, and frames are offline', async () => {
    const broker = await startMosquitto()
    const { transport, host } = await open({ url: broker.url, protocol })
    await transport.join(TOPIC, endless)
    await broker.stop()
    const waiting = [transport.flush(endless), transport.join(topicOf('other'), endless)].map(rejection)
    await broker.kill()
    for (const error of await Promise.all(waiting))
      expect(error).toMatchObject({ code: 'TRANSPORT_UNAVAILABLE' })
    expect(host.downs).toEqual([expect.objectContaining({ code: 'TRANSPORT_UNAVAILABLE' })])
    expect(transport.send(TOPIC, 'outage')).toBe('offline')
    transport.leave(TOPIC)
    await rejection(transport.join(TOPIC, endless))
    await rejection(transport.flush(endless))
    await rejection(transport.open(host, endless))
    expect(host.downs).toHaveLength(1)
    await closeAll()
    await broker.close()
  })

  test('a new open after an outage joins and replays nothing, and spares the old host', async () => {
    const broker = await startMosquitto()
    const { transport, host: old } = await open({ url: broker.url, protocol })
    const { transport: other } = await open({ url: broker.url })
    await transport.join(TOPIC, endless)
    await broker.kill()
    await until(() => old.downs.length === 1)
    for (let i = 0; i < 100; i++) transport.send(TOPIC, `outage ${i}`)
    await broker.start()
    const host = patientHost()
    const peer = patientHost()
    await other.open(peer, endless)
    await other.join(TOPIC, endless)
    await transport.open(host, endless)
    other.send(TOPIC, 'not joined yet')
    await other.flush(endless)
    await transport.join(TOPIC, endless)
    transport.send(TOPIC, 'after')
    other.send(TOPIC, 'joined')
    await until(
      () => framesOf(host).includes('positions:joined') && framesOf(peer).includes('positions:after'),
    )
    expect(framesOf(host)).not.toContain('positions:not joined yet')
    expect(framesOf(peer).filter((frame) => frame.includes('outage'))).toEqual([])
    expect(framesOf(old)).toEqual([])
    expect(old.downs).toHaveLength(1)
    await closeAll()
    await broker.close()
  })

  test('two clients with one id do not fight for ever', async () => {
    const broker = await startMosquitto()
    const options = { url: broker.url, protocol, clientId: 'one-for-two' }
    const rivals = [make(options), make(options)] as const
    const hosts = [patientHost(), patientHost()] as const
    const error = await fight(rivals, hosts)
    expect(error).toMatchObject({ code: 'TRANSPORT_FAILED' })
    expect(error.message).toContain('"one-for-two"')
    if (protocol === 5) expect(hosts[0].downs[0]?.message).toContain('Session taken over (142)')
    await closeAll()
    await broker.close()
  })
})

test('a stopped broker is noticed without a barrier; no call outlives its signal', async () => {
  const broker = await startMosquitto()
  const { transport, host } = await open({ url: broker.url })
  await broker.stop()
  const overdue = AbortSignal.timeout(200)
  const errors = await Promise.all([transport.flush(overdue), transport.join(TOPIC, overdue)].map(rejection))
  expect(errors).toEqual([overdue.reason, overdue.reason])
  await until(() => host.downs.length === 1)
  expect(host.downs[0]?.message).toContain('Keepalive timeout')
  broker.cont()
  await broker.close()
})

test('closes within its signal though the broker is stopped', async () => {
  const broker = await startMosquitto({ websocket: true })
  for (const url of [broker.url, `ws://127.0.0.1:${broker.portOf('websocket')}`]) {
    const { transport, host } = await open({ url })
    await transport.join(TOPIC, endless)
    await broker.stop()
    rejection(transport.join(topicOf('pending'), endless))
    transport.send(TOPIC, 'x'.repeat(1 << 24))
    const signal = AbortSignal.timeout(100)
    await Promise.all([transport.close(signal), transport.close(signal)])
    broker.cont()
    expect(host.downs).toEqual([])
  }
  await broker.close()
})

describe('behind a faulty network', () => {
  let broker: Broker
  let proxy: FaultProxy

  beforeAll(async () => {
    broker = await startMosquitto()
    proxy = await startProxy(broker)
  })

  afterEach(async () => {
    await closeAll()
    proxy.drop()
    proxy.mode = 'pass'
  })

  afterAll(async () => {
    await proxy.close()
    await broker.close()
  })

  test('fails to open while it refuses, stalls, drops or freezes, and opens afterwards', async () => {
    const modes = ['refuse', 'stall', 'blackhole', 'freeze'] as const
    await Promise.all(
      modes.map(async (mode) => {
        const own = await startProxy(broker)
        own.mode = mode
        const error = await rejection(open({ url: own.url }))
        expect(error).toMatchObject({ code: 'TRANSPORT_UNAVAILABLE' })
        own.mode = 'pass'
        const { transport } = await open({ url: own.url })
        await transport.close(endless)
        await own.close()
      }),
    )
  })

  test('a frozen link delays the barrier, and duplicates nothing when it thaws', async () => {
    const { transport } = await open({ url: proxy.url })
    const { transport: other, host } = await open({ url: broker.url })
    await other.join(TOPIC, endless)
    proxy.mode = 'freeze'
    for (let i = 0; i < 100; i++) expect(transport.send(TOPIC, `${i}`)).toBe('sent')
    await rejection(transport.flush(AbortSignal.timeout(100)))
    expect(framesOf(host)).toEqual([])
    proxy.mode = 'pass'
    await transport.flush(endless)
    await until(() => host.frames.length === 100)
  })

  test('a cut link is reported once, and a later frame is offline', async () => {
    const { transport, host } = await open({ url: proxy.url })
    proxy.drop()
    await until(() => host.downs.length > 0)
    expect(transport.send(TOPIC, 'late')).toBe('offline')
    expect(host.downs).toHaveLength(1)
  })
})

/** Lets two transports disconnect each other until one of them reports it. */
async function fight(rivals: readonly Transport[], hosts: readonly RecordingHost[]): Promise<Error> {
  // Under protocol 4 a slow machine may make a life too long to count; the next round is as good.
  for (let round = 0; round < 50; round++) {
    const index = round % 2
    try {
      await rivals[index]?.open(hosts[index] as RecordingHost, endless)
    } catch (error) {
      return error as Error
    }
    if (round > 0) await until(() => (hosts[1 - index]?.downs.length ?? 0) >= Math.ceil(round / 2))
  }
  throw new Error('They fight for ever.')
}
