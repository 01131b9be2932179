import { expect, onTestFinished, test, vi } from 'vitest'
import { testDials } from '../../../test/support/adapters/dials.ts'
import { ALARMS, POSITIONS, rejection, shortHost, within } from '../../../test/support/adapters/waits.ts'
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

test('reports neither frames nor faults while it closes', async () => {
  const server = await scriptedServer()
  const { transport, host } = await opened([server.address])
  await transport.join(POSITIONS, within())
  server.say(FRAME)
  await eventually(() => host.frames.length).toBe(1)
  server.beforePong = `${FRAME}-ERR 'Unknown Protocol Operation'\r\n`
  await transport.close(within())
  expect(host).toMatchObject({ frames: [{ text: 'x' }], errors: [], endedJoins: [], downs: [] })
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

test('reports that the server closed the connection when it gives no reason', async () => {
  const server = await scriptedServer()
  const { host } = await opened([server.address])
  server.hangUp()
  await eventually(() => host.downs.length).toBe(1)
  expect(host.downs).toMatchObject([{ code: 'TRANSPORT_UNAVAILABLE' }])
  expect(host.downs[0]?.message).toBe('The connection to NATS ended: the server closed it.')
})

test('learns only the servers of the cluster that a server has announced', async () => {
  const [first, later] = [await scriptedServer(), await scriptedServer()]
  const { transport, host } = await opened([first.address], { discover: true })
  first.say(infoLine({ connect_urls: [later.address] }))
  await transport.flush(within())
  first.refusal = 'Authorization Violation'
  first.hangUp()
  await eventually(() => host.downs.length).toBe(1)
  await transport.open(shortHost(), within())
  expect(later.connections).toBe(1)

  const alone = await scriptedServer()
  const lonely = await opened([alone.address], { discover: true })
  alone.refusal = 'Authorization Violation'
  alone.hangUp()
  await eventually(() => lonely.host.downs.length).toBe(1)
  const error = await rejection(lonely.transport.open(shortHost(), within()))
  expect(error.message).toContain(`(${alone.address}: Authorization Violation)`)
})

test('keeps credentials from the servers that are named by one that refuses them', async () => {
  const other = await scriptedServer()
  const refusing = await scriptedServer({ connect_urls: [other.address] })
  refusing.refusal = 'Authorization Violation'
  await rejection(transportTo([refusing.address]).open(shortHost(), within()))
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
  const error = await rejection(transport.open(shortHost(), within()))
  expect(error.message).not.toContain('getaddrinfo')
})

test.each<[string, object, boolean]>([
  ['waits for the other servers of a cluster to learn of a join', { cluster: 'c' }, true],
  ['waits where a server names others that it is connected to', { connect_urls: ['10.0.0.1:4222'] }, true],
  ['does not wait where a server is alone', {}, false],
])('%s', async (_what, info, waits) => {
  const server = await scriptedServer(info)
  const { transport } = await opened([server.address])
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const confirmed: string[] = []
  const joins = [POSITIONS, ALARMS].map(async (topic) => {
    await transport.join(topic, within())
    confirmed.push(topic)
  })
  const watching = transport.watch('fleet', within()).then(() => confirmed.push('everything'))
  // The server has answered the joins when it has answered later commands.
  await transport.flush(within())
  await new Promise(setImmediate)
  expect(confirmed).toHaveLength(waits ? 0 : 3)
  vi.runAllTimers()
  await Promise.all([...joins, watching])
  expect(confirmed).toHaveLength(3)
})

test('leaves no timer behind when it is closed while others learn of a join', async () => {
  const server = await scriptedServer({ cluster: 'c' })
  const { transport } = await opened([server.address])
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const joining = rejection(transport.join(POSITIONS, within()))
  await transport.flush(within())
  await transport.close(within())
  await joining
  expect(vi.getTimerCount()).toBe(0)
})
