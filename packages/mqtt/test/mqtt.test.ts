import { mqtt } from '@rivulet/mqtt'
import { connectAsync, type MqttClient } from 'mqtt'
import type { Topic } from 'rivulet'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { endless, rejection } from '../../../test/support/adapters/waits.ts'
import { type Broker, startMosquitto, startNats } from '../../../test/support/brokers.ts'
import { closeAll, framesOf, open, patientHost, topicOf, until } from './open.ts'
import { ScriptedBroker } from './scripted-broker.ts'

const TOPIC = topicOf('positions')

let broker: Broker
let foreign: MqttClient

beforeAll(async () => {
  broker = await startMosquitto({ websocket: true })
  foreign = await connectAsync(broker.url, { protocolVersion: 5 })
})

afterEach(closeAll)

afterAll(async () => {
  await foreign.endAsync(true)
  await broker.close()
})

describe.each([5, 4] as const)('under protocol %i', (protocol) => {
  test('reports after open whether own frames are echoed', async () => {
    const { transport, host } = await open({ url: broker.url, protocol })
    expect(transport.capabilities.echoes).toBe(protocol === 4)
    await transport.join(TOPIC, endless)
    expect(transport.send(TOPIC, 'own')).toBe('sent')
    await transport.flush(endless)
    await foreign.publishAsync(TOPIC, 'foreign')
    await until(() => framesOf(host).includes('positions:foreign'))
    expect(framesOf(host).filter((frame) => frame === 'positions:own')).toHaveLength(protocol === 4 ? 1 : 0)
  })

  test('never delivers a retained message that was planted before joining', async () => {
    const topic = topicOf(`planted-${protocol}`)
    await foreign.publishAsync(topic, 'old', { retain: true, qos: 1 })
    const { transport, host } = await open({ url: broker.url, protocol })
    await transport.join(topic, endless)
    await foreign.publishAsync(topic, 'retained now', { retain: true })
    await foreign.publishAsync(topic, 'fresh')
    await until(() => framesOf(host).includes(`planted-${protocol}:fresh`))
    transport.leave(topic)
    await transport.join(topic, endless)
    await transport.flush(endless)
    // Under protocol 4 a broker does not mark messages that it forwards at once: they are as fresh as others.
    const passedOn = protocol === 4 ? ['planted-4:retained now'] : []
    expect(framesOf(host)).toEqual([...passedOn, `planted-${protocol}:fresh`])
  })

  test('discards the session that an earlier client left under the same id', async () => {
    const topic = topicOf('session')
    const clientId = `left-over-${protocol}`
    const earlier = await connectAsync(broker.url, {
      clientId,
      clean: false,
      protocolVersion: protocol,
      properties: { sessionExpiryInterval: 3600 },
    })
    await earlier.subscribeAsync(topic, { qos: 1 })
    await earlier.endAsync()
    await foreign.publishAsync(topic, 'kept for the earlier one', { qos: 1 })
    const { transport, host } = await open({ url: broker.url, protocol, clientId })
    await foreign.publishAsync(topic, 'before joining', { qos: 1 })
    await transport.join(topic, endless)
    await foreign.publishAsync(topic, 'after joining', { qos: 1 })
    await until(() => framesOf(host).includes('session:after joining'))
    expect(framesOf(host)).toEqual(['session:after joining'])
  })
})

test('carries bytes and text unchanged, an empty frame included', async () => {
  const { transport } = await open({ url: broker.url })
  const { transport: other, host } = await open({ url: broker.url })
  await other.join(TOPIC, endless)
  const bytes = new TextEncoder().encode('--bytes é--').subarray(2, -2)
  for (const frame of [bytes, 'text é', '', 'end']) expect(transport.send(TOPIC, frame)).toBe('sent')
  await until(() => framesOf(host).includes('positions:end'))
  expect(framesOf(host)).toEqual(['bytes é', 'text é', '', 'end'].map((frame) => `positions:${frame}`))
})

test('receives nothing of a topic after leaving it', async () => {
  const { transport, host } = await open({ url: broker.url })
  const other = topicOf('other')
  await transport.join(TOPIC, endless)
  await transport.join(other, endless)
  for (let i = 0; i < 100; i++) foreign.publish(TOPIC, 'on its way')
  await foreign.publishAsync(other, 'last')
  transport.leave(TOPIC)
  const before = host.frames.length
  await until(() => framesOf(host).includes('other:last'))
  expect(framesOf(host).slice(before)).toEqual(['other:last'])
})

test.each(['__proto__', 'resubscribe', 'constructor'])('joins a topic named %s', async (name) => {
  const { transport, host } = await open({ url: broker.url })
  for (let round = 0; round < 2; round++) {
    await transport.join(name as Topic, endless)
    await foreign.publishAsync(name, `${round}`)
    await until(() => framesOf(host).includes(`${name}:${round}`))
    transport.leave(name as Topic)
  }
  expect(framesOf(host)).toEqual([`${name}:0`, `${name}:1`])
})

test('puts the prefix before every topic, and takes it off again', async () => {
  const { transport, host } = await open({ url: broker.url, prefix: 'sité/7' })
  const { host: elsewhere, transport: other } = await open({ url: broker.url })
  const seen: string[] = []
  foreign.on('message', (topic, payload) => seen.push(`${topic} ${payload}`))
  await foreign.subscribeAsync('sité/#')
  await transport.join(TOPIC, endless)
  await other.join(TOPIC, endless)
  expect(transport.send(TOPIC, 'out')).toBe('sent')
  await until(() => seen.length > 0)
  await foreign.unsubscribeAsync('sité/#')
  await foreign.publishAsync(`sité/7/${TOPIC}`, 'in')
  await until(() => host.frames.length > 0)
  await other.flush(endless)
  expect(seen).toEqual([`sité/7/${TOPIC} out`])
  expect(framesOf(host)).toEqual(['positions:in'])
  expect(framesOf(elsewhere)).toEqual([])
})

test('speaks over a web socket', async () => {
  const url = `ws://127.0.0.1:${broker.portOf('websocket')}/any?token=1`
  const { transport, host } = await open({ url })
  await transport.join(TOPIC, endless)
  await foreign.publishAsync(TOPIC, 'hello')
  await until(() => host.frames.length > 0)
  const { transport: sender } = await open({ url })
  expect(sender.send(TOPIC, new TextEncoder().encode('from a web socket'))).toBe('sent')
  await until(() => framesOf(host).includes('positions:from a web socket'))
})

test('flushes earlier frames before it closes', async () => {
  const { transport } = await open({ url: broker.url })
  const { transport: other, host } = await open({ url: broker.url })
  await other.join(TOPIC, endless)
  for (let i = 0; i < 1000; i++) transport.send(TOPIC, `${i}`)
  await transport.close(endless)
  expect(transport.send(TOPIC, 'late')).toBe('offline')
  await until(() => host.frames.length === 1000)
  expect(framesOf(host).at(-1)).toBe('positions:999')
})

test('goes on reading after a host that throws, and reports it', async () => {
  const { transport } = await open({ url: broker.url })
  await transport.close(endless)
  const host = patientHost()
  host.onReceive = () => {
    if (host.frames.length === 1) throw new Error('first')
  }
  await transport.open(host, endless)
  await transport.join(TOPIC, endless)
  await foreign.publishAsync(TOPIC, '1')
  await foreign.publishAsync(TOPIC, '2')
  await until(() => host.frames.length === 2)
  expect(host.errors).toMatchObject([
    {
      topic: TOPIC,
      cause: {
        code: 'TRANSPORT_FAILED',
        message: 'A frame from MQTT was not taken: first.',
        cause: new Error('first'),
      },
    },
  ])
})

test('falls back to protocol 4 when 5 is refused, and reports echoes', async () => {
  const nats = await startNats({ mqtt: true })
  try {
    const url = `mqtt://127.0.0.1:${nats.portOf('mqtt')}`
    const { transport, host } = await open({ url })
    expect(transport.capabilities.echoes).toBe(true)
    await transport.join(TOPIC, endless)
    transport.send(TOPIC, 'own')
    await until(() => host.frames.length === 1)
    await transport.flush(endless)
    const insisting = await rejection(open({ url, protocol: 5 }))
    expect(insisting).toMatchObject({ code: 'TRANSPORT_FAILED' })
    expect(insisting.message).toContain('Unacceptable protocol version (1)')
  } finally {
    await closeAll()
    await nats.close()
  }
})

describe('a barrier', () => {
  let scripted: ScriptedBroker

  afterEach(() => scripted.close())

  test('is not confirmed by an unrequested answer', async () => {
    scripted = await ScriptedBroker.start()
    const { transport } = await open({ url: scripted.url })
    for (let i = 0; i < 3; i++) scripted.pong()
    await transport.join(TOPIC, endless)
    let passed = false
    const barrier = transport.flush(endless).then(() => {
      passed = true
    })
    await scripted.pinged(1)
    await transport.join(topicOf('round-trip'), endless)
    expect(passed).toBe(false)
    scripted.pong()
    await barrier
  })

  test('is not confirmed by the answer to a keepalive', async () => {
    scripted = await ScriptedBroker.start()
    const { transport } = await open({ url: scripted.url })
    await scripted.pinged(1)
    let passed = false
    const barrier = transport.flush(endless).then(() => {
      passed = true
    })
    await scripted.pinged(2)
    scripted.pong()
    await transport.join(topicOf('round-trip'), endless)
    expect(passed).toBe(false)
    scripted.pong()
    await barrier
  })

  test('ends with its signal, and the next one is confirmed by its own answer', async () => {
    scripted = await ScriptedBroker.start()
    const { transport } = await open({ url: scripted.url })
    const overdue = new AbortController()
    const first = rejection(transport.flush(overdue.signal))
    const second = transport.flush(endless)
    overdue.abort(new Error('overdue'))
    expect(await first).toBe(overdue.signal.reason)
    scripted.pong()
    scripted.pong()
    await second
  })
})

test('starts a clean session, and uses QoS 0, which no option changes', async () => {
  const scripted = await ScriptedBroker.start()
  for (const other of [{ qos: 1 }, { clean: false }, { retain: true }, { properties: {} }]) {
    const { url } = scripted
    expect(() => mqtt({ url, ...(other as object) })).toThrow(/There is no MQTT option/)
  }
  const { transport } = await open({ url: scripted.url })
  await transport.join(TOPIC, endless)
  transport.send(TOPIC, 'x')
  await until(() => scripted.packets.length === 3)
  const [connect, subscribe, publish] = scripted.packets as [Buffer, Buffer, Buffer]
  const [CLEAN_START, SESSION_EXPIRY_INTERVAL] = [0x02, 0x11]
  expect(connect.readUInt8(9) & CLEAN_START).toBe(CLEAN_START) // [MQTT-3.1.2-4]
  expect([...connect.subarray(12, 18)]).toEqual([5, SESSION_EXPIRY_INTERVAL, 0, 0, 0, 0])
  expect(subscribe.readUInt8(subscribe.length - 1) & 0x03).toBe(0)
  expect(publish.readUInt8(0)).toBe(0x30) // neither DUP nor QoS nor RETAIN
  scripted.close()
})

test('a refused join rejects with the reason, and the topic may be joined again', async () => {
  const scripted = await ScriptedBroker.start()
  const { transport } = await open({ url: scripted.url })
  scripted.granted = [0x87]
  const error = await rejection(transport.join(TOPIC, endless))
  expect(error).toMatchObject({ code: 'TRANSPORT_FAILED' })
  expect(error.message).toContain('Not authorized')
  scripted.granted = [0]
  await transport.join(TOPIC, endless)
  scripted.close()
})

test('a broker that disconnects gives the reason in the cause', async () => {
  const scripted = await ScriptedBroker.start()
  const { host } = await open({ url: scripted.url })
  scripted.dismiss(139)
  await until(() => host.downs.length === 1)
  expect(host.downs[0]?.message).toContain('Server shutting down (139)')
  scripted.close()
})
