import { once } from 'node:events'
import { connect } from 'node:net'
import { createGateway, type GatewayOptions } from '@rivulet/twilio'
import { createHub } from 'rivulet'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { SERVICE } from '../../../gateway/test/support/served-gateway.ts'
import { FakeSocket } from '../support/fake-socket.ts'
import { RawSdk } from '../support/raw-sdk.ts'
import { KEYS, servedSync, shortToken } from '../support/sync-client.ts'

const MINUTE_MS = 60_000

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now: Date.UTC(2026, 10, 27) })
})
afterEach(() => {
  vi.useRealTimers()
})

function start(options: Partial<GatewayOptions> = {}) {
  const hub = createHub()
  const gateway = createGateway({ services: { [SERVICE]: hub }, keys: KEYS, ...options })
  onTestFinished(async () => {
    await gateway.close()
    await hub.close()
  })
  return { gateway, accept: () => accepted(gateway) }
}

function accepted(gateway: ReturnType<typeof createGateway>) {
  const socket = new FakeSocket()
  socket.handler = gateway.acceptTwilsock(socket)
  return socket
}

async function initialized(socket: FakeSocket, acceptedMs: number, identity = 'alice') {
  const reply = await socket.ask({ method: 'init', token: await shortToken(identity, acceptedMs) })
  expect(reply.header.status.code).toBe(200)
  return socket
}

describe('a connection', () => {
  test('is ended when its client does not say who it is for ten seconds', async () => {
    const { gateway, accept } = start()
    const socket = accept()
    vi.advanceTimersByTime(9999)
    expect(socket.closeCode).toBeUndefined()
    vi.advanceTimersByTime(1)
    expect(socket.closeCode).toBe(1000)
    expect(gateway.counts.connections).toBe(0)
    expect(socket.frames).toEqual([])
  })

  test('is told three minutes before its token expires, and is closed a minute after', async () => {
    const { accept } = start()
    const socket = await initialized(accept(), 10 * MINUTE_MS)
    keepAlive(socket, 6 * MINUTE_MS - 1)
    expect(socket.of('client_update')).toEqual([])
    keepAlive(socket, 1)
    expect(socket.of('client_update').map(({ header }) => header)).toMatchObject([
      { client_update_type: 'token_about_to_expire', payload_size: 0 },
    ])
    keepAlive(socket, 4 * MINUTE_MS - 1)
    expect(socket.closeCode).toBeUndefined()
    keepAlive(socket, 1)
    expect(socket.closeCode).toBe(1000)
    // No frame says so: the SDK could not take a new token for three seconds after one.
    expect(socket.of('close')).toEqual([])
    expect(socket.of('client_update')).toHaveLength(1)
  })

  test('counts the time of a new token, which counts for both', async () => {
    const { accept } = start()
    const socket = await initialized(accept(), 5 * MINUTE_MS)
    keepAlive(socket, MINUTE_MS)
    expect(socket.of('client_update')).toHaveLength(1)
    const update = await socket.ask({ method: 'update', token: await shortToken('alice', 30 * MINUTE_MS) })
    expect(update.header.status).toEqual({ code: 200, status: 'OK' })
    keepAlive(socket, 26 * MINUTE_MS - 1)
    expect(socket.of('client_update')).toHaveLength(1)
    keepAlive(socket, 1)
    expect(socket.of('client_update')).toHaveLength(2)
    keepAlive(socket, 4 * MINUTE_MS)
    expect(socket.closeCode).toBe(1000)
  })

  test('is told at once of a token that ends within four minutes', async () => {
    const { accept } = start()
    const socket = await initialized(accept(), 3 * MINUTE_MS)
    vi.advanceTimersByTime(0)
    expect(socket.frames.map(({ header }) => header.method)).toEqual(['reply', 'client_update'])
  })

  test('is refused the token of another identity with the texts that the SDK knows', async () => {
    const { accept } = start()
    const socket = await initialized(accept(), 10 * MINUTE_MS)
    const update = await socket.ask({ method: 'update', token: await shortToken('bob', MINUTE_MS) })
    expect(update.header.status).toMatchObject({ code: 401, status: 'UNAUTHORIZED', errorCode: 51215 })
    expect(socket.closeCode).toBe(1000)
  })

  test('is pinged every 20 seconds, and ended after a minute without a sign of life', async () => {
    const { gateway, accept } = start()
    const [dead, alive] = [
      await initialized(accept(), 50 * MINUTE_MS),
      await initialized(accept(), 50 * MINUTE_MS, 'bob'),
    ]
    for (let n = 0; n < 4; n++) {
      vi.advanceTimersByTime(20_000)
      alive.handler?.pong()
    }
    expect([alive.pings, alive.isTerminated]).toEqual([4, false])
    expect([dead.pings, dead.isTerminated]).toEqual([3, true])
    expect(gateway.counts.connections).toBe(1)
  })

  test('is ended when it answers pings for a minute, but takes nothing', async () => {
    const { accept } = start()
    const socket = await initialized(accept(), 50 * MINUTE_MS)
    socket.bufferedBytes = 1000
    for (let n = 0; n < 5; n++) {
      vi.advanceTimersByTime(20_000)
      socket.handler?.pong()
    }
    expect(socket.isTerminated).toBe(true)
  })

  test('stays when it takes what waits, however slowly', async () => {
    const { accept } = start()
    const socket = await initialized(accept(), 50 * MINUTE_MS)
    for (let n = 0; n < 10; n++) {
      socket.bufferedBytes = 1000 - n
      vi.advanceTimersByTime(20_000)
      socket.handler?.pong()
    }
    expect(socket.isTerminated).toBe(false)
  })

  test('leaves no timer behind when its socket is gone', async () => {
    const { gateway, accept } = start()
    const before = vi.getTimerCount()
    const sockets = [accept(), await initialized(accept(), 50 * MINUTE_MS)]
    expect(vi.getTimerCount()).toBeGreaterThan(before)
    for (const socket of sockets) {
      socket.handler?.closed()
      socket.handler?.closed()
    }
    expect(vi.getTimerCount()).toBe(before)
    expect(gateway.counts).toMatchObject({ connections: 0, subscriptions: 0 })
  })

  test('is closed at once by a gateway that is closed', async () => {
    const { gateway, accept } = start()
    const early = await initialized(accept(), 50 * MINUTE_MS)
    await gateway.close()
    expect(early.closeCode).toBe(1001)
    expect(early.of('close')).toEqual([])
    expect(accept().closeCode).toBe(1001)
  })

  test('answers nothing to a socket that was closed meanwhile', async () => {
    const { gateway, accept } = start()
    const socket = accept()
    const token = await shortToken('alice', 50 * MINUTE_MS)
    const reply = socket.ask({ method: 'init', token })
    socket.handler?.closed()
    await initialized(accept(), 50 * MINUTE_MS)
    await Promise.race([reply, Promise.resolve()])
    expect(socket.frames).toEqual([])
    expect(gateway.counts.connections).toBe(1)
  })

  test('is kept while a real WebSocket answers the pings by itself', async () => {
    const { url, gateway } = await servedSync()
    const sdk = await (await new RawSdk(url).open()).init()
    for (let n = 0; n < 5; n++) {
      const isPinged = once(sdk.socket, 'ping')
      vi.advanceTimersByTime(20_000)
      await isPinged
      // After this answer the pong has arrived too.
      await sdk.request('GET', '/v3/Streams/a')
    }
    expect(gateway.counts.connections).toBe(1)
  })

  test('is cut five seconds after its close by the gateway when its client is silent', async () => {
    const { server, gateway } = await servedSync()
    const socket = connect(server.port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    const handshake = [
      ...['GET /v3/wsconnect HTTP/1.1', 'Host: localhost', 'Connection: Upgrade', 'Upgrade: websocket'],
      ...['Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', '', ''],
    ]
    socket.write(handshake.join('\r\n'))
    await once(socket, 'data')
    expect(gateway.counts.connections).toBe(1)
    // An empty message (RFC 6455, 5.2), which is no frame of Twilsock.
    socket.write(Buffer.from([0x82, 0x80, 0, 0, 0, 0]))
    await once(socket, 'data')
    expect(gateway.counts.connections).toBe(0)
    const isCut = once(socket, 'close')
    vi.advanceTimersByTime(5000)
    await isCut
  })
})

/** Lets time pass for a client that answers pings. */
function keepAlive(socket: FakeSocket, ms: number): void {
  for (let leftMs = ms; leftMs > 0; leftMs -= 10_000) {
    vi.advanceTimersByTime(Math.min(leftMs, 10_000))
    socket.handler?.pong()
  }
}
