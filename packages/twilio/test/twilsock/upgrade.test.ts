import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { waitFor } from '../../../../test/support/wait-for.ts'
import { ApiClient, BASIC } from '../../../gateway/test/support/api-client.ts'
import { sendRaw } from '../../../gateway/test/support/raw-http.ts'
import { SERVICE, served } from '../../../gateway/test/support/served-gateway.ts'
import { RawSdk } from '../support/raw-sdk.ts'
import { connected, servedSync, wsUrlOf } from '../support/sync-client.ts'

const WEBSOCKET = [
  ...['Host: localhost', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'],
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
]
const BROKEN = WEBSOCKET.filter((line) => !line.startsWith('Sec-WebSocket-Key'))

const requestOf = (path: string, lines: readonly string[]) =>
  [`GET ${path} HTTP/1.1`, ...lines, '', ''].join('\r\n')

describe('a server with a gateway', () => {
  test('refuses WebSockets elsewhere, and broken ones, in the form of the API', async () => {
    const { server } = await servedSync()
    for (const path of ['/', '/v3', '/v3/wsconnect/', '//v3/wsconnect', '/V3/wsconnect', '/v1/Services']) {
      const answer = await sendRaw(server.port, requestOf(path, WEBSOCKET))
      expect(answer?.status).toBe(404)
      expect(JSON.parse(answer?.body ?? '')).toMatchObject({ status: 404, code: 20404 })
    }
    const answer = await sendRaw(server.port, requestOf('/v3/wsconnect', BROKEN))
    expect(answer?.status).toBe(400)
    expect(JSON.parse(answer?.body ?? '')).toMatchObject({ status: 400, code: 20001 })
  })

  test('refuses a WebSocket with two hosts, or none', async () => {
    const { server } = await servedSync()
    const others = WEBSOCKET.slice(1)
    for (const lines of [others, ['Host: localhost', 'Host: other', ...others]]) {
      const answer = await sendRaw(server.port, requestOf('/v3/wsconnect', lines))
      expect(answer?.status).toBe(400)
    }
  })

  test('takes a query, and no WebSocket compression', async () => {
    const { url } = await servedSync()
    const socket = new WebSocket(`${wsUrlOf(url)}?a=b`, { perMessageDeflate: true })
    onTestFinished(() => socket.terminate())
    await once(socket, 'open')
    expect(socket.extensions).toBe('')
  })

  test('answers a request for another protocol as if it had not asked for one', async () => {
    const { server } = await servedSync()
    const path = `/v1/Services/${SERVICE}/Streams`
    const lines = [
      'Host: localhost',
      'Connection: Upgrade, HTTP2-Settings',
      'Upgrade: h2c',
      'HTTP2-Settings: AAA',
    ]
    const authorization = `Authorization: ${BASIC.authorization}`
    const listed = await sendRaw(server.port, requestOf(path, [...lines, authorization]))
    expect(listed?.status).toBe(200)
    const body = 'UniqueName=upgraded'
    const created = await sendRaw(
      server.port,
      requestOf(path, [
        ...[...lines, authorization, 'Content-Type: application/x-www-form-urlencoded'],
        `Content-Length: ${body.length}`,
      ]).replace('GET', 'POST') + body,
    )
    expect(created?.status).toBe(201)
    expect(JSON.parse(created?.body ?? '')).toMatchObject({ unique_name: 'upgraded' })
  })

  test('answers any number of such requests on one connection', async () => {
    const { server } = await servedSync()
    const warnings: Error[] = []
    const note = (warning: Error) => void warnings.push(warning)
    process.on('warning', note)
    onTestFinished(() => void process.off('warning', note))
    const socket = connect(server.port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    const lines = ['Host: localhost', 'Connection: Upgrade', 'Upgrade: h2c']
    for (let n = 0; n < 50; n++) {
      socket.write(requestOf('/healthz', lines))
      const [answer] = await once(socket, 'data')
      expect(String(answer)).toMatch(/^HTTP\/1\.1 200 /)
    }
    expect(warnings).toEqual([])
  })

  test('puts no WebSocket into the middle of an answer', async () => {
    const { server, url, gateway } = await servedSync()
    await new ApiClient(url).create({ UniqueName: 'a' })
    const path = `/v1/Services/${SERVICE}/Streams/a/Messages`
    const lines = ['Host: localhost', 'Accept: text/event-stream', `Authorization: ${BASIC.authorization}`]
    for (const upgrade of [WEBSOCKET, ['Host: localhost', 'Connection: Upgrade', 'Upgrade: h2c']]) {
      const socket = connect(server.port, '127.0.0.1')
      onTestFinished(() => void socket.destroy())
      socket.write(requestOf(path, lines))
      let received = String((await once(socket, 'data'))[0])
      expect(received).toMatch(/^HTTP\/1\.1 200 /)
      socket.on('data', (chunk) => {
        received += chunk
      })
      socket.write(requestOf('/v3/wsconnect', upgrade))
      await once(socket, 'close')
      expect(received.match(/HTTP\/1\.1/g)).toHaveLength(1)
      expect(gateway.counts.connections).toBe(0)
    }
  })

  test('serves client SDKs below its base path', async () => {
    const { url } = await servedSync({ basePath: '/sync' })
    const client = await connected(`${url}/sync`)
    expect(await client.stream('a')).toMatchObject({ uniqueName: 'a' })
  })

  test('serves no client SDKs when they are not wanted, or without keys', async () => {
    for (const options of [{ twilsock: false }, { open: true }] as const) {
      const { server, gateway } = await served(options)
      expect(gateway.twilsockPath).toBeUndefined()
      const answer = await sendRaw(server.port, requestOf('/v3/wsconnect', WEBSOCKET))
      expect(answer?.status).toBe(404)
    }
  })

  test('does not wait for clients that never close', async () => {
    const { server, gateway } = await servedSync()
    const socket = connect(server.port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    const isGone = new Promise((resolve) => socket.once('close', resolve))
    socket.on('error', () => {})
    socket.write(requestOf('/v3/wsconnect', WEBSOCKET))
    await waitFor(() => expect(gateway.counts.connections).toBe(1))
    socket.pause()
    await server.close({ timeoutMs: 50 })
    socket.resume()
    await isGone
    expect(gateway.counts.connections).toBe(0)
  })

  test('loses nothing but the connection when a client resets it', async () => {
    const { url, gateway } = await servedSync()
    const sdk = await (await new RawSdk(url).open()).init()
    expect(gateway.counts.connections).toBe(1)
    sdk.socket.terminate()
    await waitFor(() => expect(gateway.counts.connections).toBe(0))
  })

  test('ends a client that pings and never reads', async () => {
    const { server, gateway } = await servedSync()
    const socket = connect(server.port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    socket.on('error', () => {})
    socket.write(requestOf('/v3/wsconnect', WEBSOCKET))
    await waitFor(() => expect(gateway.counts.connections).toBe(1))
    // The largest ping there may be, masked by zeros (RFC 6455, 5.3), a thousand times.
    const pings = Buffer.concat(
      Array(1000).fill(Buffer.from([0x89, 0xfd, 0, 0, 0, 0, ...Array(125).fill(120)])),
    )
    socket.pause()
    while (gateway.counts.connections > 0) {
      socket.write(pings)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(gateway.counts.connections).toBe(0)
  })
})
