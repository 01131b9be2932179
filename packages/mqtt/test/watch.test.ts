import { connectAsync } from 'mqtt'
import { createHub, type Hub, type RivuletError, type Tap } from 'rivulet'
import { expect, onTestFinished, test } from 'vitest'
import { endless } from '../../../test/support/adapters/waits.ts'
import { type MosquittoOptions, startMosquitto, startNats } from '../../../test/support/brokers.ts'
import { expectLaws } from '../../../test/support/ledger-laws.ts'
import { ending, eventually } from '../../../test/support/live.ts'
import { type MqttOptions, mqtt } from '../src/index.ts'
import { closeAll, framesOf, open, topicOf, until, watchedFramesOf } from './open.ts'
import { ScriptedBroker } from './scripted-broker.ts'

const TOPIC = topicOf('positions')
const [JOIN, WATCH] = [1, 2]
const [WILDCARDS, IDENTIFIERS] = [0x28, 0x29]

async function mosquitto(options?: MosquittoOptions): Promise<string> {
  return (await ending(startMosquitto(options))).url
}

async function scripted(claims: readonly number[] = []): Promise<ScriptedBroker> {
  const broker = await ScriptedBroker.start()
  Object.assign(broker, { isLively: true, claims })
  onTestFinished(async () => {
    await closeAll()
    broker.close()
  })
  return broker
}

function openHub(options: MqttOptions, name = 'fleet'): { hub: Hub; errors: RivuletError[] } {
  const hub = createHub({ transport: mqtt(options), name, streamDefaults: { limit: false } })
  const errors: RivuletError[] = []
  hub.on('error', (error) => errors.push(error))
  onTestFinished(async () => void (await hub.close()))
  return { hub, errors }
}

/** Opens a tap, and returns its received messages as `stream n`. */
async function tapOf(hub: Hub): Promise<{ tap: Tap; heard: string[] }> {
  const heard: string[] = []
  const tap = hub.tap(({ data }, stream) => heard.push(`${stream} ${(data as { n: number }).n}`))
  await tap.ready
  return { tap, heard }
}

function publish(hub: Hub, stream: string, n: number): string {
  hub.stream(stream).publish({ n })
  return `${stream} ${n}`
}

test('a joined and watched stream reaches each once, and the tap alone afterwards', async () => {
  const url = await mosquitto()
  const [{ hub: other }, { hub }] = [openHub({ url }), openHub({ url })]
  const before: number[] = []
  const after: number[] = []
  const subscribe = (name: string, into: number[]) =>
    hub.stream<{ n: number }>(name).subscribe(({ data }) => into.push(data.n))
  await subscribe('before', before).ready
  const { tap, heard } = await tapOf(hub)
  const subscription = subscribe('after', after)
  await Promise.all([subscription.ready, other.ready()])
  const numbers = Array.from({ length: 50 }, (_, n) => n)
  const sent = numbers.flatMap((n) => ['before', 'after', 'unheard'].map((name) => publish(other, name, n)))
  publish(hub, 'before', -1)
  await eventually(() => [...heard].sort()).toEqual(sent.sort())
  await eventually(() => [before, after]).toEqual([[-1, ...numbers], numbers])
  subscription.unsubscribe()
  sent.push(publish(other, 'after', 50), publish(other, 'before', 50))
  await eventually(() => [...heard].sort()).toEqual(sent.sort())
  await eventually(() => before.at(-1)).toBe(50)
  expect(after).toEqual(numbers)
  const none = { duplicate: 0, echo: 0, notJoined: 0, malformed: 0 }
  expect(tap.ledger()).toMatchObject({ delivered: 152, missed: 0, dropped: none })
  expect(hub.ledger()).toMatchObject({ delivered: 101, missed: 0, dropped: none })
})

test('a copy goes to all of its identifiers, as one copy with two or two with one', async () => {
  const broker = await scripted()
  const { transport, host } = await open({ url: broker.url })
  const watching = new AbortController()
  await transport.join(TOPIC, endless)
  await transport.watch('test', watching.signal)
  expect(broker.subscriptions).toEqual([TOPIC, 'rivulet/test/#'])
  broker.publish(TOPIC, 'one copy', JOIN, WATCH)
  broker.publish(TOPIC, 'two copies', WATCH)
  broker.publish(TOPIC, 'two copies', JOIN)
  broker.publish(TOPIC, 'not identified')
  broker.publish(topicOf('other'), 'end', WATCH)
  await until(() => watchedFramesOf(host).includes('other:end'))
  expect(framesOf(host)).toEqual(['positions:one copy', 'positions:two copies', 'positions:not identified'])
  expect(watchedFramesOf(host)).toEqual(['positions:one copy', 'positions:two copies', 'other:end'])
  watching.abort()
  transport.leave(TOPIC)
  broker.publish(TOPIC, 'on its way', JOIN, WATCH)
  await transport.join(topicOf('last'), endless)
  expect([host.frames.length, host.watchedFrames.length, host.errors]).toEqual([3, 3, []])
})

test('a refused watch rejects with the reason, is retried, and keeps the streams', async () => {
  const broker = await scripted()
  const { hub, errors } = openHub({ url: broker.url })
  await hub.stream('positions').subscribe(() => {}).ready
  broker.granted = [0x87]
  const tap = hub.tap(() => {})
  await expect(tap.ready).rejects.toMatchObject({ code: 'TRANSPORT_FAILED', hub: 'fleet' })
  expect(errors.map(({ message }) => message)).toEqual([
    expect.stringMatching(/refused to subscribe to rivulet\/fleet\/#: .*Not authorized/),
  ])
  broker.granted = [0]
  await tap.ready
  expect([hub.status, broker.clients]).toEqual(['up', 1])
})

test.each([
  ['subscription identifiers', IDENTIFIERS],
  ['wildcards', WILDCARDS],
])('a broker without %s cannot be watched, and joins work there', async (_, claim) => {
  const broker = await scripted([claim, 0])
  const { transport, host } = await open({ url: broker.url })
  expect(transport.capabilities.watch).toBe(false)
  await expect(transport.watch('test', endless)).rejects.toMatchObject({ code: 'TRANSPORT_FAILED' })
  await transport.join(TOPIC, endless)
  expect(broker.subscriptions).toEqual([TOPIC])
  // Id, no properties, the name with its length, options.
  expect(broker.packets.at(-1)?.length).toBe(2 + 2 + 1 + 2 + TOPIC.length + 1)
  broker.publish(TOPIC, 'joined')
  await until(() => host.frames.length === 1)
})

test.each([
  ['mosquitto', async () => ({ url: await mosquitto(), protocol: 4 as const })],
  [
    'nats-server',
    async () => {
      const broker = await ending(startNats({ mqtt: true }))
      return { url: `mqtt://127.0.0.1:${broker.portOf('mqtt')}` }
    },
  ],
])('under 3.1.1 a hub cannot be watched, and says so: %s', async (_, optionsOf) => {
  const options = await optionsOf()
  onTestFinished(closeAll)
  const { transport } = await open(options)
  expect(transport.capabilities.watch).toBe(false)
  await expect(transport.watch('test', endless)).rejects.toMatchObject({
    message: expect.stringContaining('use MQTT 5'),
  })
  const { hub } = openHub(options)
  await hub.ready()
  await expect(hub.tap(() => {}).ready).rejects.toMatchObject({
    code: 'TRANSPORT_FAILED',
    message: expect.stringContaining('use MQTT 5'),
  })
})

test('mosquitto accepts any tap, and delivers the topics that its acl_file allows', async () => {
  const acl = 'user tool\ntopic read rivulet/fleet/open\nuser fleet\ntopic readwrite rivulet/fleet/#\n'
  const url = await mosquitto({
    users: { tool: 'secret', fleet: 'secret' },
    files: { acl },
    config: (folder) => `acl_file ${folder}/acl`,
  })
  const as = (username: string) => openHub({ url, username, password: 'secret' })
  const [{ hub: other }, { hub, errors }] = [as('fleet'), as('tool')]
  const { tap, heard } = await tapOf(hub)
  const { heard: all } = await tapOf(as('fleet').hub)
  await other.ready()
  publish(other, 'secret', 1)
  publish(other, 'open', 2)
  await eventually(() => heard).toEqual(['open 2'])
  await eventually(() => all).toEqual(['secret 1', 'open 2'])
  expect(errors).toEqual([])
  expect(tap.ledger()).toMatchObject({ received: 1, missed: 0 })
})

test('a tap receives again after the broker was killed and started', async () => {
  const broker = await ending(startMosquitto())
  const [{ hub: other }, { hub }] = [openHub({ url: broker.url }), openHub({ url: broker.url })]
  const { tap, heard } = await tapOf(hub)
  await other.ready()
  publish(other, 'positions', 1)
  await eventually(() => heard).toEqual(['positions 1'])
  await broker.kill()
  await until(() => hub.status !== 'up' && other.status !== 'up')
  publish(other, 'positions', 2)
  await broker.restart()
  await Promise.all([hub.ready(), other.ready()])
  await tap.ready
  publish(other, 'positions', 3)
  await eventually(() => heard).toEqual(['positions 1', 'positions 3'])
  expect(tap.ledger()).toMatchObject({ delivered: 2, missed: 0, dropped: { duplicate: 0 } })
})

test('a tap receives its own hub only, and its own prefix only', async () => {
  const url = await mosquitto()
  const options = { url, prefix: 'sité/7' }
  const { tap, heard } = await tapOf(openHub(options).hub)
  const others = [
    openHub(options, 'fleet2').hub,
    openHub(options, 'flee').hub,
    openHub({ url }).hub,
    openHub({ ...options, prefix: 'sité/70' }).hub,
  ]
  const { hub } = openHub(options)
  await Promise.all([...others, hub].map((each) => each.ready()))
  for (const other of others) {
    publish(other, 'positions', 1)
    await other.flush()
  }
  publish(hub, 'positions', 2)
  await eventually(() => heard).toEqual(['positions 2'])
  expect(tap.ledger().received).toBe(1)
})

test('foreign topics and frames are counted and not delivered', async () => {
  const url = await mosquitto()
  const { hub, errors } = openHub({ url })
  const foreign = await connectAsync(url, { protocolVersion: 5 })
  onTestFinished(() => foreign.endAsync(true))
  await foreign.publishAsync('rivulet/fleet/old', '{"data":{"n":0}}', { retain: true, qos: 1 })
  const { tap, heard } = await tapOf(hub)
  const { hub: other } = openHub({ url })
  await other.ready()
  const hostile = ['', '/', '/a/b', '/a/b/c/d', '//', '/%', '/a%2fb', '/ä', '/a b', '/__proto__/x']
  for (const name of hostile) await foreign.publishAsync(`rivulet/fleet${name}`, '{"data":{"n":1}}')
  await foreign.publishAsync('rivulet/fleet/__proto__', '{"data":{"n":2}}')
  await foreign.publishAsync('rivulet/fleet/positions', Buffer.of(0xff, 0x00, 0xfe))
  await foreign.publishAsync('rivulet/fleet/positions', '{"data":{"n":3}}', { retain: true })
  await foreign.publishAsync('rivulet/fleet/positions', '{"data":{"n":4}}', { qos: 1 })
  publish(other, 'positions', 5)
  await eventually(() => heard).toEqual(['__proto__ 2', 'positions 4', 'positions 5'])
  expect(tap.ledger()).toMatchObject({ delivered: 3, dropped: { malformed: hostile.length + 1 } })
  expectLaws(tap.ledger())
  expect([hub.status, errors]).toEqual(['up', []])
})

test('a topic that is not UTF-8 is counted as malformed, and the next one arrives', async () => {
  const broker = await scripted()
  const { hub, errors } = openHub({ url: broker.url })
  const { tap, heard } = await tapOf(hub)
  const notUtf8 = Buffer.concat([Buffer.from('rivulet/fleet/'), Buffer.of(0xff, 0xc0)])
  broker.publish(notUtf8, '{"data":{"n":1}}', WATCH)
  broker.publish('rivulet/fleet/positions', '{"data":{"n":2}}', WATCH)
  await eventually(() => heard).toEqual(['positions 2'])
  expect(tap.ledger()).toMatchObject({ received: 2, dropped: { malformed: 1 } })
  expect(errors).toEqual([])
})

test('2 000 streams are received, and the ledger adds up', async () => {
  const url = await mosquitto()
  const [{ hub: other }, { hub }] = [openHub({ url }), openHub({ url })]
  const { tap, heard } = await tapOf(hub)
  await other.ready()
  const sent: string[] = []
  for (let n = 0; n < 4_000; n++) {
    sent.push(publish(other, `s${n % 2_000}`, n))
    if (n % 100 === 99) await other.flush()
  }
  await eventually(() => heard.length).toBe(4_000)
  expect(new Set(heard)).toEqual(new Set(sent))
  const ledger = tap.ledger()
  expect(ledger).toMatchObject({ received: 4_000, delivered: 4_000, missed: 0, subscribers: 2_000 })
  expectLaws(ledger)
  expect(
    [...tap.streams()].every(({ publishers, ledger }) => publishers === 1 && ledger.delivered === 2),
  ).toBe(true)
  expect(other.ledger()).toMatchObject({ confirmed: 4_000, lost: { failed: 0, offline: 0, congested: 0 } })
})
