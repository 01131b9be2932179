import { once } from 'node:events'
import { connect } from 'node:net'
import type { Topic } from 'rivulet'
import { expect, test } from 'vitest'
import { testTaps } from '../../../test/support/adapters/taps.ts'
import { POSITIONS, rejection, shortHost, within } from '../../../test/support/adapters/waits.ts'
import type { Broker } from '../../../test/support/brokers.ts'
import { eventually, makeLive } from '../../../test/support/live.ts'
import { bareClient, opened, scene, server, transportTo } from './scene.ts'

const ANN = { user: 'ann', password: 'right' }
const bytes = (text: string) => Buffer.from(text, 'latin1')

testTaps({
  scene,
  publish: publishBytes,
  positions: bytes('rivulet.fleet.positions'),
  strange: [
    ...['a.b', '*', '>', 'a.>', 'a/b', 'a%2fb', '%61', '%ZZ', 'a!', 'a:b', 'x'.repeat(3000)],
    ...['\xff\xfe', '\xc3', '\xc3\xa9', '\x01', '\0', 'TZ0123456789abcdef0123456789abcdef'],
  ].map((name) => bytes(`rivulet.fleet.${name}`)),
  elsewhere: ['rivulet.fleet2.a', 'rivulet.flee.a', 'rivulet.fleet', 'rivulet', 'x.rivulet.fleet.a'].map(
    bytes,
  ),
})

/** Speaks NATS over a bare socket: a client would encode or refuse these subjects. */
async function publishBytes({ port }: Broker, subjects: readonly Buffer[], frame: string): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  socket.write('CONNECT {"verbose":false,"pedantic":false}\r\n')
  for (const subject of subjects) {
    socket.write(Buffer.concat([bytes('PUB '), subject, bytes(` ${frame.length}\r\n${frame}\r\n`)]))
  }
  socket.write('PING\r\n')
  let answer = ''
  while (!answer.includes('PONG')) answer += (await once(socket, 'data'))[0]
  expect(answer).not.toContain('-ERR')
  socket.destroy()
}

/** The permissions of the one user, as lines of a server's configuration. */
function permitted(permissions: string): string {
  return `authorization { users: [ { user: ann, password: right, permissions: { ${permissions} } } ] }`
}

test('needs no permission but that for the subjects of the hub', async () => {
  const permissions = 'publish: { deny: ">" }, subscribe: { allow: "rivulet.fleet.>" }'
  const broker = await server({ config: permitted(permissions) })
  const { transport, host } = await opened(broker, ANN)
  await transport.watch('fleet', within())
  expect((await rejection(transport.watch('other', within()))).message).toContain('Permissions Violation')
  expect(host).toMatchObject({ errors: [], endedJoins: [], downs: [] })
})

test.each(['"rivulet.fleet.positions"', '["rivulet.fleet.positions", "rivulet.fleet.alarms.>"]'])(
  'rejects a watch if only %s is permitted, and keeps its joins',
  async (allowed) => {
    const broker = await server({ config: permitted(`subscribe: { allow: ${allowed} }`) })
    const { transport, host } = await opened(broker, ANN)
    await transport.join(POSITIONS, within())
    const error = await rejection(transport.watch('fleet', within()))
    expect(error.message).toContain('Permissions Violation for Subscription to "rivulet.fleet.>"')
    const client = await bareClient(broker, { user: 'ann', pass: 'right' })
    client.publish('rivulet.fleet.positions', 'x')
    await client.flush()
    await transport.flush(within())
    expect(host).toMatchObject({
      frames: [{ text: 'x' }],
      watchedFrames: [],
      errors: [],
      endedJoins: [],
      downs: [],
    })
  },
)

test('receives nothing of denied topics within the hub', async () => {
  const permissions = 'subscribe: { allow: "rivulet.fleet.>", deny: "rivulet.fleet.secret" }'
  const broker = await server({ config: permitted(permissions) })
  const { transport, host } = await opened(broker, ANN)
  await transport.watch('fleet', within())
  const client = await bareClient(broker, { user: 'ann', pass: 'right' })
  for (const name of ['secret', 'positions']) client.publish(`rivulet.fleet.${name}`, name)
  await client.flush()
  await transport.flush(within())
  expect(host.watchedFrames).toEqual([{ topic: POSITIONS, text: 'positions' }])
  expect(host).toMatchObject({ errors: [], endedJoins: [], downs: [] })
})

test('a denied tap is rejected, begins once granted, and again after a revocation', async () => {
  const broker = await server({ config: permitted('subscribe: { deny: "rivulet.fleet.>" }') })
  const hub = makeLive({ transport: transportTo(broker, ANN), name: 'fleet' })
  const errors: string[] = []
  hub.on('error', ({ message }) => errors.push(message))
  const heard: unknown[] = []
  const tap = hub.tap(({ data }) => heard.push(data))
  expect(await rejection(tap.ready)).toMatchObject({ code: 'TRANSPORT_FAILED', hub: 'fleet' })
  expect(errors).toEqual([expect.stringContaining('Permissions Violation')])
  const outcome = () =>
    tap.ready.then(
      () => 'heard',
      (error) => error.code,
    )
  for (const n of [1, 2]) {
    broker.reload(permitted(''))
    await eventually(outcome).toBe('heard')
    const client = await bareClient(broker, { user: 'ann', pass: 'right' })
    client.publish('rivulet.fleet.positions', JSON.stringify({ data: { n } }))
    await eventually(() => heard.at(-1)).toEqual({ n })
    if (n === 2) break
    const errorsBefore = errors.length
    broker.reload(permitted('subscribe: { deny: "rivulet.fleet.>" }'))
    await eventually(() => errors.length).toBeGreaterThan(errorsBefore)
    expect(errors.at(-1)).toContain('Permissions Violation')
  }
  expect(hub.status).toBe('up')
})

test('reports without a topic that a reload has ended a watch, and can watch again', async () => {
  const broker = await server({ config: permitted('') })
  const { transport, host } = await opened(broker, ANN)
  await transport.watch('fleet', within())
  await transport.join(POSITIONS, within())
  broker.reload(permitted('subscribe: { deny: "rivulet.fleet.>" }'))
  await eventually(() => host.endedJoins.length + host.downs.length).toBe(2)
  expect(host.endedJoins.map(({ topic }) => topic).sort()).toEqual([POSITIONS, undefined])
  broker.reload(permitted(''))
  await eventually(() => transport.watch('fleet', within()).then(() => 'heard', String)).toBe('heard')
  expect(host.errors).toEqual([])
})

test('leaves no subscription behind when a watch is ended, given up or refused', async () => {
  const broker = await server({ monitor: true, config: 'max_subscriptions: 2' })
  const { transport, host } = await opened(broker)
  const subscriptions = async () => {
    const { connections } = await broker.monitor<{ connections: { subscriptions: number }[] }>('connz')
    return connections[0]?.subscriptions
  }
  for (let round = 0; round < 3; round += 1) {
    const end = new AbortController()
    await transport.watch('fleet', end.signal)
    expect(await subscriptions()).toBe(1)
    end.abort()
    const given = new AbortController()
    const watching = rejection(transport.watch('fleet', given.signal))
    given.abort(new Error('no longer'))
    expect((await watching).message).toBe('no longer')
    await transport.flush(within())
    expect(await subscriptions()).toBe(0)
  }
  await transport.join(POSITIONS, within())
  await transport.join('rivulet/fleet/alarms' as Topic, within())
  expect((await rejection(transport.watch('fleet', within()))).message).toMatch(/maximum subscriptions/i)
  await transport.flush(within())
  expect(await subscriptions()).toBe(2)
  expect(host.downs).toEqual([])
})

test('watches behind the prefix, and there only', async () => {
  const broker = await server()
  const { transport, host } = await opened(broker, { prefix: 'acme.eu-1' })
  const sender = await opened(broker, { prefix: 'acme.eu-1' })
  await transport.watch('fleet', within())
  await publishBytes(
    broker,
    ['rivulet.fleet.a', 'acme.rivulet.fleet.a', 'acme.eu-1.rivulet.fleet.b'].map(bytes),
    'x',
  )
  sender.transport.send(POSITIONS, 'y')
  await sender.transport.flush(within())
  await transport.flush(within())
  expect(host.watchedFrames).toEqual([
    { topic: 'rivulet/fleet/b', text: 'x' },
    { topic: POSITIONS, text: 'y' },
  ])
})

test('keeps reading after the host has thrown at a watched frame', async () => {
  const broker = await server()
  const host = shortHost()
  const watched = host.watched.bind(host)
  host.watched = (topic, frame) => {
    watched(topic, frame)
    if (host.watchedFrames.length === 1) throw new Error('a bug of the host')
  }
  const { transport } = await opened(broker, {}, host)
  await transport.watch('fleet', within())
  await publishBytes(broker, ['rivulet.fleet.a', 'rivulet.fleet.b'].map(bytes), 'x')
  await transport.flush(within())
  expect(host.watchedFrames.map(({ topic }) => topic)).toEqual(['rivulet/fleet/a', 'rivulet/fleet/b'])
  expect(host.errors).toMatchObject([{ topic: undefined, cause: { code: 'TRANSPORT_FAILED' } }])
})
