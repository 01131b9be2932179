import { once } from 'node:events'
import { createServer as createHttpServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, onTestFinished, test } from 'vitest'
import { endless, rejection } from '../../../test/support/adapters/waits.ts'
import { freePort } from '../../../test/support/free-port.ts'
import { eventually } from '../../../test/support/live.ts'
import { closeAll, open, until } from './open.ts'
import { ScriptedBroker } from './scripted-broker.ts'

const NOT_AUTHORIZED = 135
const UNSUPPORTED = { 5: 132, 4: 1 }
const ADVICE = 'Check the credentials, the certificates and the protocol.'

afterEach(closeAll)

async function scripted(): Promise<ScriptedBroker> {
  const broker = await ScriptedBroker.start()
  onTestFinished(() => broker.close())
  return broker
}

/** Answers the upgrade to a WebSocket with a status, and records the request. */
async function gateway(status: number): Promise<{ address: string; paths: string[] }> {
  const paths: string[] = []
  const server = createHttpServer()
  server.on('upgrade', ({ url = '' }: IncomingMessage, socket) => {
    paths.push(url)
    socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n\r\n`)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, paths }
}

test('asks each server once, each under MQTT 5, when all refuse for good', async () => {
  const brokers = [await scripted(), await scripted()]
  for (const broker of brokers) broker.refusals[5] = NOT_AUTHORIZED
  const error = await rejection(open({ url: brokers.map(({ url }) => url) }))
  const reasons = brokers.map(({ url }) => `${url}: Connection refused: Not authorized (${NOT_AUTHORIZED})`)
  expect(error.message).toBe(`No MQTT server took the connection (${reasons.sort().join('; ')}). ${ADVICE}`)
  expect(brokers.map(({ clients }) => clients)).toEqual([1, 1])
  expect(brokers.flatMap(({ packets }) => packets).map((connect) => connect.readUInt8(8))).toEqual([5, 5])
})

test('tries MQTT 3.1.1 once when 5 is refused, and not again when refused as well', async () => {
  const broker = await scripted()
  broker.refusals = UNSUPPORTED
  expect((await rejection(open({ url: broker.url }))).code).toBe('TRANSPORT_FAILED')
  expect(broker.packets.map((connect) => connect.readUInt8(8))).toEqual([5, 4])
})

test('begins with any of its servers', async () => {
  const brokers = [await scripted(), await scripted()]
  const url = brokers.map((broker) => broker.url)
  const clientsOfEach = async () => {
    await open({ url })
    await closeAll()
    return brokers.map(({ clients }) => clients)
  }
  await eventually(clientsOfEach).not.toContain(0)
})

test('reports that the broker closed the connection when it gives no reason', async () => {
  const broker = await scripted()
  const { host } = await open({ url: broker.url })
  broker.hangUp()
  await until(() => host.downs.length > 0)
  expect(host.downs[0]?.message).toBe(
    `The connection to ${broker.url} is gone: the broker closed the connection.`,
  )
})

test('rejects the calls that wait for a connection that is closed', async () => {
  const broker = await scripted()
  const { transport } = await open({ url: broker.url })
  const waiting = rejection(transport.flush(endless))
  const closing = transport.close(endless)
  const late = await rejection(transport.flush(endless))
  broker.hangUp()
  await closing
  expect(late.message).toBe(`The connection to ${broker.url} is not open.`)
  expect((await waiting).message).toBe(`The connection to ${broker.url} was closed.`)
})

test.each([
  ['a user alone', 'ann@', ['ann'], ['bob', 'secret']],
  ['a user and a password', 'ann:right@', ['ann', 'right'], ['bob', 'secret']],
  ['a password alone', ':right@', ['right'], ['bob', 'secret']],
  ['no credentials', '', ['bob', 'secret'], []],
])('names %s in a URL before those of the options', async (_what, credentials, sent, kept) => {
  const broker = await scripted()
  const url = broker.url.replace('//', `//${credentials}`)
  await open({ url, username: 'bob', password: 'secret' })
  const connect = String(broker.packets[0])
  for (const text of sent) expect(connect).toContain(text)
  for (const text of kept) expect(connect).not.toContain(text)
})

test.each([
  ['', '/'],
  ['/', '/'],
  ['/a/b?c=d', '/a/b?c=d'],
])('asks for a web socket at the path of the URL (%j)', async (end, path) => {
  const { address, paths } = await gateway(404)
  for (const scheme of ['ws', 'mqtt+ws']) await rejection(open({ url: `${scheme}://${address}${end}` }))
  expect(paths).toEqual([path, path])
})

test.each([
  [401, 'TRANSPORT_FAILED'],
  [403, 'TRANSPORT_FAILED'],
  [402, 'TRANSPORT_UNAVAILABLE'],
  [404, 'TRANSPORT_UNAVAILABLE'],
])('takes the status %i of a gateway for %s', async (status, code) => {
  const { address } = await gateway(status)
  expect((await rejection(open({ url: `ws://${address}` }))).code).toBe(code)
})

test('reports the address without a listener', async () => {
  const label = `mqtt://127.0.0.1:${await freePort()}`
  const { message } = await rejection(open({ url: `${label}/` }))
  const reason = `connect ECONNREFUSED ${label.slice('mqtt://'.length)}`
  expect(message).toBe(`No MQTT server took the connection (${label}: ${reason}).`)
})

test('dials an IPv6 address without its brackets', async () => {
  const { message } = await rejection(open({ url: `mqtt://[::1]:${await freePort()}` }))
  expect(message).toMatch(/\(mqtt:\/\/\[::1\]:\d+: connect E[A-Z]+ ::1:\d+/)
})

test.each([
  ['mqtts://127.0.0.1', 'mqtts://127.0.0.1:8883:'],
  ['mqtt+wss://127.0.0.1', 'wss://127.0.0.1:443:'],
])('dials the default port of the scheme of %s', async (url, label) => {
  expect((await rejection(open({ url }))).message).toContain(label)
})

test('is refused for good when its own certificate cannot be read', async () => {
  const broker = await scripted()
  const tls = { cert: 'no certificate', key: 'no key' }
  const error = await rejection(open({ url: broker.url.replace('mqtt', 'mqtts'), tls }))
  expect(error).toMatchObject({
    code: 'TRANSPORT_FAILED',
    cause: { code: expect.stringMatching(/^ERR_OSSL_/) },
  })
  await until(() => broker.clients === 1)
})
