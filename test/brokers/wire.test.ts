import { connect } from '@nats-io/transport-node'
import { createClient } from '@redis/client'
import stringify from 'fast-json-stable-stringify'
import type { Hub, Message } from 'rivulet'
import { expect, onTestFinished, test } from 'vitest'
import { type Broker, startMosquitto, startNats } from '../support/brokers.ts'
import { closeLawfully, ending, eventually, openLive } from '../support/live.ts'
import { type Program, startCommand } from '../support/program.ts'
import { redisCommand, startRedis } from '../support/redis-servers.ts'

// Pages send the same frames; their own protocol is tested with @rivulet/websocket.
const SID = /^TZ[0-9a-f]{32}$/
const MAX_PER_FRAME = 64
const FULL = 100

/** What somebody saw who knows nothing of Rivulet: topics, and the text of frames. */
type Sight = readonly [topic: string, frame: string]

/** Publishes in every way that makes a frame of another form, and gives the data. */
async function publishEverything(hub: Hub): Promise<object[]> {
  const stream = hub.stream('wire', { limit: false })
  const alone = [
    { n: 0 },
    { text: 'é 🌊 \0 \ud800 "\\', z: 1, a: { c: 1, b: [null] } },
    { s: 'x'.repeat(4088) },
  ]
  for (const data of alone) {
    stream.publish(data)
    await hub.flush()
  }
  const few = [{ few: 1 }, { few: 2 }]
  const many = Array.from({ length: FULL }, (_, many) => ({ many }))
  for (const batch of [few, many]) {
    for (const data of batch) stream.publish(data)
    await hub.flush()
  }
  hub.stream('wire').remove()
  await hub.flush()
  return [...alone, ...few, ...many]
}

/** Expects frames of the documented form, and gives the data in them. */
function dataIn(frames: readonly string[]): object[] {
  return frames.flatMap((frame) => {
    const content = JSON.parse(frame)
    expect(stringify(content)).toBe(frame)
    const messages = Array.isArray(content) ? content : [content]
    expect(messages.length).toBeLessThanOrEqual(MAX_PER_FRAME)
    if (Array.isArray(content)) expect(messages.length).toBeGreaterThan(1)
    for (const message of messages) {
      expect(message).toEqual({
        data: expect.any(Object),
        sid: expect.stringMatching(SID),
        t: expect.any(Number),
      })
      expect(message.t).toBeGreaterThanOrEqual(0)
    }
    return messages.map(({ data }) => data)
  })
}

function expectDocumented(sights: readonly Sight[], topic: string, published: readonly object[]): void {
  expect(new Set(sights.map(([seen]) => seen))).toEqual(new Set([topic]))
  const frames = sights.map(([, frame]) => frame)
  const removal = JSON.parse(frames.pop() ?? '')
  expect(removal).toEqual({ removed: true, sid: expect.stringMatching(SID), t: expect.any(Number) })
  expect(dataIn(frames)).toEqual(published.map((data) => JSON.parse(JSON.stringify(data))))
  // Three alone, two together, and a hundred in two frames.
  expect(frames).toHaveLength(6)
}

test.each([5, 4])(
  'every frame is the documented JSON, as mosquitto_sub sees it, protocol %i',
  async (protocol) => {
    const broker = await ending(startMosquitto())
    const spectator = mosquittoSub(broker, 'rivulet/#')
    await isWatching(broker, spectator)
    const hub = await openLive(`${broker.url}?protocol=${protocol}`)
    const published = await publishEverything(hub)
    const sights = () => spectator.lines.filter((line) => line.startsWith('rivulet/default/')).map(toSight)
    await eventually(() => sights().length).toBe(7)
    expectDocumented(sights(), 'rivulet/default/wire', published)
  },
)

test('every frame is the documented JSON, as a bare NATS client sees it', async () => {
  const broker = await ending(startNats())
  const client = await bareClient(broker)
  const sights: Sight[] = []
  client.subscribe('rivulet.>', {
    callback: (_, { subject, data }) => void sights.push([subject, strict(data)]),
  })
  await client.flush()
  const published = await publishEverything(await openLive(broker.url))
  await eventually(() => sights.length).toBe(7)
  expectDocumented(sights, 'rivulet.default.wire', published)
})

test('every frame is the documented JSON, as a bare Redis client sees it', async () => {
  const broker = await ending(startRedis())
  const client = await createClient({ url: broker.url }).connect()
  onTestFinished(() => client.destroy())
  const sights: Sight[] = []
  const note = (frame: Buffer, channel: Buffer) => void sights.push([strict(channel), strict(frame)])
  await client.pSubscribe('*', note, true)
  const published = await publishEverything(await openLive(broker.url))
  await eventually(() => sights.length).toBe(7)
  expectDocumented(sights, 'rivulet/default/wire', published)
})

// Row 23, and 26: QoS 0 both ways, whatever others use, and a session that starts and ends with the connection.
test.each([5, 4])('nothing is ever asked to be repeated, protocol %i', async (protocol) => {
  const broker = await ending(startMosquitto({ config: 'log_type debug' }))
  const url = `${broker.url}?protocol=${protocol}`
  const [sender, receiver] = [await openLive(url), await openLive(url)]
  const heard = await listen(receiver)
  sender.stream('wire').publish({ n: 1 })
  await sender.flush()
  const address = ['-h', '127.0.0.1', '-p', `${broker.port}`]
  const foreign = ['-i', 'foreign', '-q', '2', '-t', 'rivulet/default/wire', '-m', '{"data":{"n":2}}']
  expect(await startCommand('mosquitto_pub', [...address, ...foreign]).ended).toMatchObject({ code: 0 })
  await eventually(() => heard.map(({ data }) => data)).toEqual([{ n: 1 }, { n: 2 }])
  await closeLawfully(sender, receiver)

  const told = (what: RegExp) => broker.log().match(new RegExp(what, 'g'))
  await eventually(() => told(/Received DISCONNECT from rivulet/)).toHaveLength(2)
  expect(told(/Received PUBLISH from rivulet\w+ \(d0, q0, r0,/)).toHaveLength(1)
  expect(told(/Received PUBLISH from foreign \(d0, q2, r0,/)).toHaveLength(1)
  expect(told(/Sending PUBLISH to rivulet\w+ \(d0, q0, r0,/)).toHaveLength(2)
  expect(told(/Sending PUBLISH to/)).toHaveLength(2)
  // Protocol, clean start, keepalive: one and a half idle intervals.
  const connected = new RegExp(`as rivulet\\w+ \\(p${protocol === 5 ? 5 : 2}, c1, k45\\)`)
  expect(told(connected)).toHaveLength(2)
})

test.each([5, 4])('what mosquitto_pub writes by hand reaches a subscriber, protocol %i', async (protocol) => {
  const broker = await ending(startMosquitto())
  const heard = await listen(await openLive(`${broker.url}?protocol=${protocol}`))
  const address = ['-h', '127.0.0.1', '-p', `${broker.port}`]
  for (const x of [1, 2]) {
    const { ended } = startCommand('mosquitto_pub', [
      ...address,
      '-t',
      'rivulet/default/wire',
      '-m',
      `{"data":{"x":${x}}}`,
    ])
    expect(await ended).toMatchObject({ code: 0, stderr: '' })
  }
  await expectForeign(heard)
})

test('what a bare NATS client writes by hand reaches a subscriber', async () => {
  const broker = await ending(startNats())
  const heard = await listen(await openLive(broker.url))
  const client = await bareClient(broker)
  for (const x of [1, 2]) client.publish('rivulet.default.wire', `{"data":{"x":${x}}}`)
  await expectForeign(heard)
})

test('what redis-cli writes by hand reaches a subscriber', async () => {
  const broker = await ending(startRedis())
  const heard = await listen(await openLive(broker.url))
  for (const x of [1, 2]) await redisCommand(broker, 'PUBLISH', 'rivulet/default/wire', `{"data":{"x":${x}}}`)
  await expectForeign(heard)
})

async function listen(hub: Hub): Promise<Message[]> {
  const heard: Message[] = []
  await hub.stream('wire').subscribe((message) => heard.push(message)).ready
  return heard
}

async function expectForeign(heard: readonly Message[]): Promise<void> {
  await eventually(() => heard.map(({ data, isLocal }) => [data, isLocal])).toEqual([
    [{ x: 1 }, false],
    [{ x: 2 }, false],
  ])
  const sids = heard.map(({ sid }) => sid)
  expect(sids).toEqual([expect.stringMatching(SID), expect.stringMatching(SID)])
  expect(new Set(sids).size).toBe(2)
}

function mosquittoSub(broker: Broker, ...topics: string[]): Program {
  const program = startCommand('mosquitto_sub', [
    '-h',
    '127.0.0.1',
    '-p',
    `${broker.port}`,
    '-F',
    '%t %p',
    ...topics.flatMap((topic) => ['-t', topic]),
  ])
  onTestFinished(() => program.kill())
  return program
}

/** Writes to a topic of its own until the spectator sees it. */
async function isWatching(broker: Broker, spectator: Program): Promise<void> {
  await eventually(async () => {
    const probe = startCommand('mosquitto_pub', [
      '-h',
      '127.0.0.1',
      '-p',
      `${broker.port}`,
      '-t',
      'rivulet/probe',
      '-m',
      'x',
    ])
    await probe.ended
    return spectator.lines.length
  }).toBeGreaterThan(0)
}

function toSight(line: string): Sight {
  const space = line.indexOf(' ')
  return [line.slice(0, space), line.slice(space + 1)]
}

function strict(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
}

async function bareClient(broker: Broker) {
  const client = await connect({ servers: `127.0.0.1:${broker.port}`, reconnect: false })
  onTestFinished(() => client.close())
  return client
}
