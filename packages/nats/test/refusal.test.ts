import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import { nkeys } from '@nats-io/transport-node'
import { RivuletError } from 'rivulet'
import { expect, test } from 'vitest'
import { addressOf, authority, listening } from '../../../test/support/adapters/scene.ts'
import { ALARMS, POSITIONS, rejection, shortHost, within } from '../../../test/support/adapters/waits.ts'
import { freePort } from '../../../test/support/free-port.ts'
import { eventually } from '../../../test/support/live.ts'
import type { NatsOptions } from '../src/index.ts'
import { bareClient, opened, secureServer, server, transportTo } from './scene.ts'

function refused(target: Parameters<typeof transportTo>[0], options?: NatsOptions) {
  return rejection(transportTo(target, options).open(shortHost(), within()))
}

test('connects with the right user and password, and is refused for good with others', async () => {
  const broker = await server({ users: { ann: 'right' } })
  await opened(broker, { user: 'ann', password: 'right' })
  for (const options of [{ user: 'ann', password: 'wrong-secret' }, { user: 'bob' }, {}]) {
    const error = await refused(broker, options)
    expect(RivuletError.is(error)).toBe(true)
    expect(error).toMatchObject({ code: 'TRANSPORT_FAILED', cause: { name: 'AuthorizationError' } })
    expect(error.message).toContain('Authorization Violation')
    expect(error.message).not.toContain('wrong-secret')
  }
})

test('connects with the right token, and is refused for good with another', async () => {
  const broker = await server({ config: 'authorization { token: "to ken" }' })
  await opened(broker, { token: 'to ken' })
  expect((await refused(broker, { token: 'other' })).code).toBe('TRANSPORT_FAILED')
})

test('connects with the right nkey, and is refused for good with another', async () => {
  const [right, wrong] = [nkeys.createUser(), nkeys.createUser()]
  const broker = await server({ config: `authorization { users: [ { nkey: ${right.getPublicKey()} } ] }` })
  const seedOf = (pair: typeof right) => new TextDecoder().decode(pair.getSeed())
  await opened(broker, { nkey: `${seedOf(right)}\n` })
  expect((await refused(broker, { nkey: seedOf(wrong) })).code).toBe('TRANSPORT_FAILED')
})

test('signs with the credentials of a file', async () => {
  const pair = nkeys.createUser()
  const broker = await server({ config: `authorization { users: [ { nkey: ${pair.getPublicKey()} } ] }` })
  const seed = new TextDecoder().decode(pair.getSeed())
  const block = (name: string, text: string) => `-----BEGIN ${name}-----\n${text}\n------END ${name}------\n`
  const credentials = `${block('NATS USER JWT', 'e30.e30.e30')}\n${block('USER NKEY SEED', seed)}`
  await opened(broker, { credentials })
})

test('is refused as an outage while another server of the list is merely away', async () => {
  const broker = await server({ users: { ann: 'right' } })
  const away = `127.0.0.1:${await freePort()}`
  const error = await refused([addressOf(broker), away])
  expect(error.code).toBe('TRANSPORT_UNAVAILABLE')
  expect(error.message).toContain('Authorization Violation')
  expect(error.message).toContain('connection refused')
})

test('reports an outage, not a refusal, without a listening server', async () => {
  const error = await refused([`127.0.0.1:${await freePort()}`])
  expect(error).toMatchObject({ code: 'TRANSPORT_UNAVAILABLE', cause: { message: 'connection refused' } })
})

test('gives up on an HTTP server and on a silent peer', async () => {
  const http = await listening(createHttpServer((_request, response) => response.end('hello')))
  const silent = await listening(createServer())
  const errors = await Promise.all([refused([http.address]), refused([silent.address])])
  expect(errors.map((error) => error.code)).toEqual(['TRANSPORT_UNAVAILABLE', 'TRANSPORT_UNAVAILABLE'])
})

test('gives up on a peer that hangs up, and on one that talks nonsense', async () => {
  const hangingUp = await listening(createServer((socket) => socket.destroy()))
  const nonsense = await listening(createServer((socket) => socket.on('error', () => {}).end('220 smtp\r\n')))
  const errors = await Promise.all([refused([hangingUp.address]), refused([nonsense.address])])
  expect(errors.map((error) => error.code)).toEqual(['TRANSPORT_UNAVAILABLE', 'TRANSPORT_UNAVAILABLE'])
})

test('is refused as an outage by a server that is full', async () => {
  const broker = await server({ config: 'max_connections: 1' })
  await opened(broker)
  expect((await refused(broker)).code).toBe('TRANSPORT_UNAVAILABLE')
})

test('reports with its topic a frame that may not be published, and stays up', async () => {
  const permissions = '{ publish: { deny: "p.rivulet.fleet.positions" } }'
  const broker = await server({
    config: `authorization { users: [ { user: a, password: b, permissions: ${permissions} } ] }`,
  })
  const { transport, host } = await opened(broker, { user: 'a', password: 'b', prefix: 'p' })
  expect(transport.send(POSITIONS, 'x')).toBe('sent')
  expect(transport.send(ALARMS, 'x')).toBe('sent')
  await eventually(() => host.errors.length).toBe(1)
  expect(host.errors).toMatchObject([{ topic: POSITIONS, cause: { code: 'TRANSPORT_FAILED' } }])
  expect(RivuletError.is(host.errors[0]?.cause)).toBe(true)
  expect(host.errors[0]?.cause).toMatchObject({ cause: { name: 'PermissionViolationError' } })
  expect(host.errors[0]?.cause.message).toMatch(/^NATS refused a frame: .*Permissions Violation for Publish/i)
  await transport.flush(within())
  expect(host.downs).toEqual([])
})

test('rejects a join that the server does not permit, and stays up', async () => {
  const permissions = '{ subscribe: { deny: "rivulet.fleet.positions" } }'
  const broker = await server({
    config: `authorization { users: [ { user: a, password: b, permissions: ${permissions} } ] }`,
  })
  const { transport, host } = await opened(broker, { user: 'a', password: 'b' })
  const results = await Promise.allSettled([
    transport.join(POSITIONS, within()),
    transport.join(ALARMS, within()),
  ])
  expect(results.map((result) => result.status)).toEqual(['rejected', 'fulfilled'])
  const error = await rejection(transport.join(POSITIONS, within()))
  expect(error.message).toContain('Permissions Violation for Subscription')
  expect(host).toMatchObject({ errors: [], downs: [] })
})

test('reports with its topic that a reload has ended a join', async () => {
  const users = (permissions: string) =>
    `authorization { users: [ { user: a, password: b, permissions: { subscribe: { deny: "${permissions}" } } } ] }`
  const broker = await server({ config: users('other') })
  const { transport, host } = await opened(broker, { user: 'a', password: 'b' })
  await transport.join(POSITIONS, within())
  await transport.join(ALARMS, within())
  broker.reload(users('rivulet.fleet.positions'))
  await eventually(() => host.endedJoins.length + host.downs.length).toBe(1)
  expect(host.endedJoins).toMatchObject([{ topic: POSITIONS, cause: { name: 'PermissionViolationError' } }])
  expect(host.errors).toEqual([])
  transport.leave(POSITIONS)
  await rejection(transport.join(POSITIONS, within()))
})

test('rejects a join for which the server has no subscription left', async () => {
  const broker = await server({ config: 'max_subscriptions: 1' })
  const { transport, host } = await opened(broker)
  await transport.join(POSITIONS, within())
  expect((await rejection(transport.join(ALARMS, within()))).message).toMatch(
    /maximum subscriptions exceeded/i,
  )
  expect(host.errors).toMatchObject([{ topic: undefined, cause: { code: 'TRANSPORT_FAILED' } }])
  expect(host.errors[0]?.cause.message).toMatch(/^NATS reports a fault: .*maximum subscriptions exceeded/i)
  transport.leave(POSITIONS)
  await transport.join(ALARMS, within())
  const client = await bareClient(broker)
  client.publish('rivulet.fleet.alarms', 'x')
  await client.flush()
  await transport.flush(within())
  expect(host.frames).toEqual([{ topic: ALARMS, text: 'x' }])
})

test('is down with the reason at revoked credentials, and is then refused for good', async () => {
  const users = (password: string) => `authorization { users: [ { user: ann, password: "${password}" } ] }`
  const broker = await server({ config: users('first-secret') })
  const { transport, host } = await opened(broker, { user: 'ann', password: 'first-secret' })
  broker.reload(users('second-secret'))
  await eventually(() => host.downs.length).toBe(1)
  expect(host.downs[0]).toMatchObject({ code: 'TRANSPORT_FAILED' })
  // Reported once, as the end of the connection.
  expect(host.errors).toEqual([])
  expect((await rejection(transport.open(host, within()))).code).toBe('TRANSPORT_FAILED')
})

test.each([false, true])(
  'trusts the given authority over TLS (handshake first: %s)',
  async (handshakeFirst) => {
    const trusted = authority()
    const { broker, tls } = await secureServer(trusted, trusted.issue(), handshakeFirst)
    for (const host of ['127.0.0.1', 'localhost']) {
      const { transport } = await opened([`${host}:${broker.port}`], { tls })
      await transport.join(POSITIONS, within())
      await transport.close(within())
    }
  },
)

test.each([false, true])(
  'refuses a certificate that it cannot trust (handshake first: %s)',
  async (handshakeFirst) => {
    const trusted = authority()
    const { broker, tls } = await secureServer(trusted, trusted.issue(), handshakeFirst)
    const untrusted = await refused(broker, { tls: { ...tls, ca: authority().ca } })
    expect(untrusted.code).toBe('TRANSPORT_FAILED')
    expect(untrusted.message).toMatch(/certificate|signature/)
    expect((await refused(broker, { tls: { handshakeFirst } })).code).toBe('TRANSPORT_FAILED')
  },
)

test.each([false, true])(
  'refuses a certificate for another name (handshake first: %s)',
  async (handshakeFirst) => {
    const trusted = authority()
    const names = 'DNS:localhost,DNS:nats.example'
    const { broker, tls } = await secureServer(trusted, trusted.issue(names), handshakeFirst)
    // By its address: the bare client (3.3) checks "localhost" instead of an address.
    const error = await refused(broker, { tls })
    expect(error.code).toBe('TRANSPORT_FAILED')
    expect(error.message).toContain('127.0.0.1')
    expect((await refused(broker, { tls: { ...tls, servername: 'other.example' } })).code).toBe(
      'TRANSPORT_FAILED',
    )
    await opened(broker, { tls: { ...tls, servername: 'nats.example' } })
  },
)

test('never falls back to plain text', async () => {
  const plain = await server()
  for (const options of [{ tls: true }, { servers: [`tls://${addressOf(plain)}`] }]) {
    const error = await refused(plain, options)
    expect(error).toMatchObject({ code: 'TRANSPORT_FAILED' })
    expect(error.message).toContain('tls')
  }
  const failed = await refused(plain, { tls: { handshakeFirst: true } })
  expect(failed.code).toBe('TRANSPORT_FAILED')
})

test('shows its own certificate to a server that asks for one', async () => {
  const trusted = authority()
  const { certFile, keyFile } = trusted.issue()
  const config = `tls { cert_file: "${certFile}", key_file: "${keyFile}", ca_file: "${trusted.caFile}", verify: true }`
  const broker = await server({ config })
  const own = trusted.issue('DNS:client')
  await opened(broker, { tls: { ca: trusted.ca, cert: own.cert, key: own.key } })
  // A reset by the server may overtake its alert; then it is reported as an outage.
  expect((await refused(broker, { tls: { ca: trusted.ca } })).code).toMatch(
    /^TRANSPORT_(FAILED|UNAVAILABLE)$/,
  )
})
