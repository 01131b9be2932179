import { createServer as createHttpServer } from 'node:http'
import { createServer, type Socket } from 'node:net'
import { inspect } from 'node:util'
import { RivuletError } from 'rivulet'
import { expect, test } from 'vitest'
import { addressOf, authority, listening } from '../../../test/support/adapters/scene.ts'
import { ALARMS, POSITIONS, rejection, shortHost, within } from '../../../test/support/adapters/waits.ts'
import type { Broker } from '../../../test/support/brokers.ts'
import { freePort } from '../../../test/support/free-port.ts'
import { eventually } from '../../../test/support/live.ts'
import { REDIS_PROGRAMS, redisCommand } from '../../../test/support/redis-servers.ts'
import type { RedisOptions } from '../src/index.ts'
import { opened, server, transportTo } from './scene.ts'

const SECRET = 'hunter2hunter2'

async function refused(target: Broker | string[], options?: RedisOptions): Promise<RivuletError> {
  const error = await rejection(transportTo(target, options).open(shortHost(), within()))
  if (RivuletError.is(error)) return error
  throw error
}

test.each(REDIS_PROGRAMS)('is refused for good by %s when credentials are wrong', async (kind) => {
  const broker = await server({ server: kind, users: { ann: 'right' } })
  for (const options of [{ username: 'ann', password: SECRET }, { password: SECRET }, {}]) {
    const error = await refused(broker, options)
    expect(error.code).toBe('TRANSPORT_FAILED')
    expect(error.message).toMatch(/WRONGPASS|NOAUTH/)
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(SECRET)
  }
  await opened(broker, { username: 'ann', password: 'right' })
})

test('takes the password of a server without users', async () => {
  const broker = await server({ config: 'requirepass right' })
  expect((await refused(broker)).code).toBe('TRANSPORT_FAILED')
  expect((await refused(broker, { password: SECRET })).code).toBe('TRANSPORT_FAILED')
  await opened(broker, { password: 'right' })
})

test.each([',', ''])(
  'keeps to itself the password that a server before version 6 repeats (%j)',
  async (comma) => {
    const answer = `-ERR unknown command \`HELLO\`${comma} with args beginning with: \`3\`, \`AUTH\`, \`ann\`, \`${SECRET}\`, \r\n`
    const { address: old } = await listening(
      createServer((socket) => socket.once('data', () => socket.write(answer))),
    )
    const error = await refused([old], { username: 'ann', password: SECRET })
    expect(error).toMatchObject({
      code: 'TRANSPORT_FAILED',
      message: expect.stringContaining(': ERR unknown command `HELLO`). Check'),
    })
    expect(error.message).toContain('version (6 or later)')
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(SECRET)
  },
)

test.each(REDIS_PROGRAMS)(
  'is refused as an outage by a cluster on %s that has no slots yet',
  async (kind) => {
    const node = await server({ server: kind, cluster: true })
    const error = await refused(node, { sharded: true })
    expect(error.code).toBe('TRANSPORT_UNAVAILABLE')
    expect(error.message).toContain('its cluster has no slots yet')
    await redisCommand(node, 'CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
    await eventually(() => redisCommand(node, 'CLUSTER', 'INFO')).toContain('cluster_state:ok')
    const { transport } = await opened(node, { sharded: true })
    await transport.join(POSITIONS, within())
  },
)

test('is refused as an outage while another server of the list is merely away', async () => {
  const broker = await server({ users: { ann: 'right' } })
  const error = await refused([addressOf(broker), `127.0.0.1:${await freePort()}`])
  expect(error.code).toBe('TRANSPORT_UNAVAILABLE')
  expect(error.message).toContain('NOAUTH')
  expect(error.message).toContain('ECONNREFUSED')
})

test('gives up on an HTTP server, and on a silent, a closing and a nonsensical peer', async () => {
  const peers = [
    createHttpServer((_request, response) => response.end('hello')),
    createServer(),
    createServer((socket) => socket.destroy()),
    createServer((socket) => socket.on('error', () => {}).end('220 smtp\r\n')),
  ]
  const errors = await Promise.all(peers.map(async (peer) => refused([(await listening(peer)).address])))
  expect(errors.map((error) => error.code)).toEqual(peers.map(() => 'TRANSPORT_UNAVAILABLE'))
})

test('is down when the server sends bytes that are no Redis protocol', async () => {
  let socket: Socket | undefined
  const peer = createServer((made) => {
    socket = made
    made.on('data', () => made.write('%0\r\n'))
  })
  const { host } = await opened([(await listening(peer)).address])
  socket?.write('HTTP/1.1 400 Bad Request\r\n\r\n')
  await eventually(() => host.downs.length).toBe(1)
  expect(host.downs[0]).toMatchObject({ code: 'TRANSPORT_UNAVAILABLE' })
})

test('is refused as an outage by a server that is full', async () => {
  const broker = await server({ config: 'maxclients 1' })
  await opened(broker)
  expect((await refused(broker)).code).toBe('TRANSPORT_UNAVAILABLE')
})

// The least permissions of a user.
const FLEET =
  'user fleet on >right resetchannels &rivulet/fleet/* -@all +hello +ping +publish +subscribe +unsubscribe'
const fleet = { username: 'fleet', password: 'right' }

test('needs no more than five commands and its own channels', async () => {
  const broker = await server({ config: `user default off\n${FLEET}` })
  const { transport, host } = await opened(broker, fleet)
  await transport.join(POSITIONS, within())
  transport.send(POSITIONS, 'x')
  await transport.flush(within())
  transport.leave(POSITIONS)
  await transport.flush(within())
  expect(host).toMatchObject({ frames: [{ text: 'x' }], errors: [], downs: [] })
})

test('reports with its topic a frame that may not be published, and stays up', async () => {
  const broker = await server({ config: FLEET.replace('fleet/*', 'fleet/alarms') })
  const { transport, host } = await opened(broker, fleet)
  expect(transport.send(POSITIONS, 'x')).toBe('sent')
  expect(transport.send(ALARMS, 'x')).toBe('sent')
  await transport.flush(within())
  await eventually(() => host.errors.length).toBe(1)
  expect(host.errors).toMatchObject([{ topic: POSITIONS, cause: { code: 'TRANSPORT_FAILED' } }])
  expect(host.errors[0]?.cause.message).toMatch(/^Redis refused a frame: NOPERM .*[^.]\.$/)
  expect(host.downs).toEqual([])
})

test('rejects a join that the server does not permit, and stays up', async () => {
  const broker = await server({ config: FLEET.replace('fleet/*', 'fleet/alarms') })
  const { transport, host } = await opened(broker, fleet)
  const results = await Promise.allSettled([
    transport.join(POSITIONS, within()),
    transport.join(ALARMS, within()),
  ])
  expect(results.map((result) => result.status)).toEqual(['rejected', 'fulfilled'])
  expect((await rejection(transport.join(POSITIONS, within()))).message).toContain('NOPERM')
  expect(host).toMatchObject({ errors: [], downs: [] })
})

test("is down at the revocation of a channel's permission, and then refused the join", async () => {
  const broker = await server({ config: FLEET })
  const { transport, host } = await opened(broker, fleet)
  await transport.join(POSITIONS, within())
  await redisCommand(broker, 'ACL', 'SETUSER', 'fleet', 'resetchannels', '&rivulet/fleet/alarms')
  await eventually(() => host.downs.length).toBe(1)
  const next = shortHost()
  await transport.open(next, within())
  await rejection(transport.join(POSITIONS, within()))
  await transport.join(ALARMS, within())
  expect(next.downs).toEqual([])
})

test('trusts the given authority over TLS, by name and by address', async () => {
  const trusted = authority()
  const broker = await server({ tls: trusted.issue() })
  for (const host of ['127.0.0.1', 'localhost']) {
    const { transport, host: events } = await opened([`rediss://${host}:${broker.port}`], {
      tls: { ca: trusted.ca },
    })
    await transport.join(POSITIONS, within())
    transport.send(POSITIONS, 'x')
    await transport.close(within())
    expect(events.downs).toEqual([])
  }
})

test('refuses a certificate that it cannot trust, or that is for another name', async () => {
  const trusted = authority()
  const broker = await server({ tls: trusted.issue('DNS:localhost,DNS:redis.example') })
  const { ca } = trusted
  const untrusted = await refused(broker, { tls: { ca: authority().ca } })
  expect(untrusted.code).toBe('TRANSPORT_FAILED')
  expect(untrusted.message).toMatch(/certificate|signature/)
  expect((await refused(broker, { tls: true })).code).toBe('TRANSPORT_FAILED')
  const byAddress = await refused(broker, { tls: { ca } })
  expect(byAddress).toMatchObject({ code: 'TRANSPORT_FAILED', message: expect.stringContaining('127.0.0.1') })
  expect((await refused(broker, { tls: { ca, servername: 'other.example' } })).code).toBe('TRANSPORT_FAILED')
  await opened(broker, { tls: { ca, servername: 'redis.example' } })
})

test('never falls back to plain text', async () => {
  const plain = await server()
  const errors = [await refused(plain, { tls: true }), await refused([`rediss://${addressOf(plain)}`])]
  expect(errors.map(({ code }) => code)).toEqual(['TRANSPORT_UNAVAILABLE', 'TRANSPORT_UNAVAILABLE'])
  expect(await redisCommand(plain, 'INFO', 'commandstats')).not.toContain('cmdstat_hello')
})

test('shows its own certificate to a server that asks for one', async () => {
  const trusted = authority()
  const tls = trusted.issue()
  const broker = await server({ tls, config: `tls-auth-clients yes\ntls-ca-cert-file ${trusted.caFile}` })
  const own = trusted.issue('DNS:client')
  await opened(broker, { tls: { ca: trusted.ca, cert: own.cert, key: own.key } })
  // A reset by the server may overtake its alert; then it is reported as an outage.
  expect((await refused(broker, { tls: { ca: trusted.ca } })).code).toMatch(
    /^TRANSPORT_(FAILED|UNAVAILABLE)$/,
  )
})
