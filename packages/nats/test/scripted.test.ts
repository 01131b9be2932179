import { expect, test } from 'vitest'
import { testDials } from '../../../test/support/adapters/dials.ts'
import { POSITIONS, Recorder, rejection, within } from '../../../test/support/adapters/recorder.ts'
import { freePort } from '../../../test/support/free-port.ts'
import { eventually } from '../../../test/support/live.ts'
import { opened, scene, transportTo } from './scene.ts'
import { infoLine, scriptedServer } from './scripted-server.ts'

testDials({
  scene,
  scripted: () => scriptedServer(),
  refusal: 'Authorization Violation',
  told: (reasons, advice) =>
    `No NATS server took the connection (${reasons}).${advice === 'without' ? '' : ' Check the credentials and the certificates.'}`,
  away: () => 'connection refused',
})

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

test('keeps credentials from the servers that are named by one that refuses them', async () => {
  const other = await scriptedServer()
  const refusing = await scriptedServer({ connect_urls: [other.address] })
  refusing.refusal = 'Authorization Violation'
  await rejection(transportTo([refusing.address]).open(new Recorder(), within()))
  expect(other.connections).toBe(0)
})

test('rejects requests after the loss of its connection', async () => {
  const server = await scriptedServer()
  const { transport, host } = await opened([server.address])
  server.hangUp()
  await eventually(() => host.downs.length).toBe(1)
  expect((await rejection(transport.flush(within()))).message).toBe('the connection is gone')
})

test('dials an IPv6 address without its brackets', async () => {
  const address = `[::1]:${await freePort()}`
  const transport = transportTo([address], { tls: { handshakeFirst: true } })
  const error = await rejection(transport.open(new Recorder(), within()))
  expect(error.message).not.toContain('getaddrinfo')
})
