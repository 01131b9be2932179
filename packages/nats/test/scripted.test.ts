import { getEventListeners } from 'node:events'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { POSITIONS, Recorder, rejection, within } from '../../../test/support/adapters/recorder.ts'
import { listening } from '../../../test/support/adapters/scene.ts'
import { freePort } from '../../../test/support/free-port.ts'
import { eventually } from '../../../test/support/live.ts'
import { opened, transportTo } from './scene.ts'
import { infoLine, type ScriptedServer, scriptedServer } from './scripted-server.ts'

const FRAME = 'MSG rivulet.fleet.positions 1 1\r\nx\r\n'

test('tells nobody of what comes while it closes, frames and faults', async () => {
  const server = await scriptedServer()
  const { transport, host } = await opened([server.address])
  await transport.join(POSITIONS, within())
  server.say(FRAME)
  await eventually(() => host.frames.length).toBe(1)
  server.beforePong = `${FRAME}-ERR 'Unknown Protocol Operation'\r\n`
  await transport.close(within())
  expect(host).toMatchObject({ frames: [{ text: 'x' }], errors: [], lefts: [], downs: [] })
})

test('takes credentials that have expired for a refusal', async () => {
  const server = await scriptedServer()
  const { host } = await opened([server.address])
  server.say("-ERR 'User Authentication Expired'\r\n")
  await eventually(() => host.downs.length).toBe(1)
  expect(host.downs).toMatchObject([{ code: 'TRANSPORT_FAILED' }])
  expect(host.downs[0]?.message).toMatch(/^The connection to NATS ended: .*expired/i)
  expect(host.downs[0]?.cause).toMatchObject({ name: 'UserAuthenticationExpiredError' })
  expect(host.errors).toEqual([])
})

test('says that the server closed the connection when it did so without a reason', async () => {
  const server = await scriptedServer()
  const { host } = await opened([server.address])
  server.hangUp()
  await eventually(() => host.downs.length).toBe(1)
  expect(host.downs).toMatchObject([{ code: 'TRANSPORT_UNAVAILABLE' }])
  expect(host.downs[0]?.message).toBe('The connection to NATS ended: the server closed it.')
})

test('says why each of several servers refused, and gives all causes', async () => {
  const [first, second] = [await scriptedServer(), await scriptedServer()]
  for (const server of [first, second]) server.refusal = 'Authorization Violation'
  const error = await refusedBy([first, second])
  const reasons = [first, second].map(({ address }) => `${address}: Authorization Violation`)
  const said = (order: string[]) =>
    `No NATS server took the connection (${order.join('; ')}). Check the credentials and the certificates.`
  expect([said(reasons), said(reasons.reverse())]).toContain(error.message)
  const violation = { name: 'AuthorizationError' }
  expect(error).toMatchObject({ code: 'TRANSPORT_FAILED', cause: { errors: [violation, violation] } })
})

test('gives no advice when a server is merely away', async () => {
  const away = `127.0.0.1:${await freePort()}`
  const { message } = await rejection(transportTo([away]).open(new Recorder(), within()))
  expect(message).toBe(`No NATS server took the connection (${away}: connection refused).`)
})

test('tries the servers in another order at each open', async () => {
  const servers = await Promise.all([1, 2, 3].map(() => scriptedServer()))
  for (const server of servers) server.refusal = 'Authorization Violation'
  const orders = new Set<string>()
  await eventually(async () => orders.add((await refusedBy(servers)).message).size).toBeGreaterThan(2)
})

test('goes to another server than the last one', async () => {
  const servers = [await scriptedServer(), await scriptedServer()]
  const transport = transportTo(servers.map(({ address }) => address))
  for (let round = 0; round < 20; round += 1) {
    const host = new Recorder()
    await transport.open(host, within())
    for (const server of servers) server.hangUp()
    await eventually(() => host.downs.length).toBe(1)
  }
  expect(servers.map(({ connections }) => connections)).toEqual([10, 10])
})

test('learns servers that join the cluster later, and those only that a server has named', async () => {
  const [first, later] = [await scriptedServer(), await scriptedServer()]
  const { transport, host } = await opened([first.address], { discover: true })
  first.say(infoLine({ connect_urls: [later.address] }))
  await transport.flush(within())
  first.refusal = 'Authorization Violation'
  first.hangUp()
  await eventually(() => host.downs.length).toBe(1)
  await transport.open(new Recorder(), within())
  expect(later.connections).toBe(1)

  const alone = await scriptedServer()
  const lonely = await opened([alone.address], { discover: true })
  alone.refusal = 'Authorization Violation'
  alone.hangUp()
  await eventually(() => lonely.host.downs.length).toBe(1)
  const error = await rejection(lonely.transport.open(new Recorder(), within()))
  expect(error.message).toContain(`(${alone.address}: Authorization Violation)`)
})

test('hands credentials to no other server that one names which refuses them', async () => {
  const other = await scriptedServer()
  const refusing = await scriptedServer({ connect_urls: [other.address] })
  refusing.refusal = 'Authorization Violation'
  await refusedBy([refusing])
  expect(other.connections).toBe(0)
})

test('leaves no listener on the signals that it was given', async () => {
  const server = await scriptedServer()
  const { transport } = await opened([server.address])
  const { signal } = new AbortController()
  await transport.join(POSITIONS, signal)
  await transport.flush(signal)
  await transport.close(signal)
  expect(getEventListeners(signal, 'abort')).toEqual([])
})

test.each([
  ['at once', false],
  ['while the server says nothing', true],
])('drops the socket of a dial that is given up %s', async (_when, isConnected) => {
  const [patient, givenUp] = [await listening(createServer()), await listening(createServer())]
  const waiting = rejection(transportTo([patient.address]).open(new Recorder(), within()))
  await eventually(() => patient.sockets.size).toBe(1)
  const giveUp = new AbortController()
  const opening = rejection(transportTo([givenUp.address]).open(new Recorder(), giveUp.signal))
  if (isConnected) await eventually(() => givenUp.sockets.size).toBe(1)
  giveUp.abort()
  await opening
  // Left to itself it would end by the client's deadline, after the one that was dialled first.
  await eventually(() => givenUp.sockets.size).toBe(0)
  expect(patient.sockets.size).toBe(1)
  await waiting
})

function refusedBy(servers: readonly ScriptedServer[]) {
  return rejection(transportTo(servers.map(({ address }) => address)).open(new Recorder(), within()))
}
