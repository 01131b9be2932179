import { connect } from 'node:net'
import { memoryBus } from '@rivulet/memory'
import {
  type ApiKey,
  createGateway,
  type GatewayOptions,
  memoryRegistry,
  type ServeOptions,
} from '@rivulet/twilio'
import { SignJWT } from 'jose'
import { createHub, type Hub, type StreamOptions } from 'rivulet'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { startNats } from '../../../test/support/brokers.ts'
import { startProxy } from '../../../test/support/fault-proxy.ts'
import { ending, eventually, makeLive, openLive } from '../../../test/support/live.ts'
import { waitFor } from '../../../test/support/wait-for.ts'
import { ApiClient, BASIC, basic } from '../../gateway/test/support/api-client.ts'
import { ACCOUNT_KEY, SERVICE, served, servedGateway } from '../../gateway/test/support/served-gateway.ts'
import { listenAt } from '../../gateway/test/support/sse-client.ts'

const SSE = { accept: 'text/event-stream' }

/** Signs a token for one who may listen to everything; each name makes another one. */
function tokenOf(key: ApiKey, name: string): Promise<string> {
  return new SignJWT({ grants: [{ streams: '*', allow: ['listen'] }], jti: name })
    .setProtectedHeader({ alg: 'HS256', kid: key.sid })
    .setExpirationTime('5 minutes')
    .sign(new TextEncoder().encode(key.secret))
}

describe('a listener', () => {
  test('gets what is published from now on, once and in order', async () => {
    const { url, hub } = await served()
    const api = new ApiClient(url)
    await api.create({ UniqueName: 'positions' })
    hub.stream('positions').publish({ n: 0 })
    const client = await listenAt(api.messagesOf('positions'), BASIC)
    const { body } = await api.publish('positions', { n: 1 })
    hub.stream('positions').publish({ n: 2 })
    await client.count(2)
    expect(client.events).toEqual([
      { event: 'messagePublished', id: body.sid, data: { n: 1 } },
      { event: 'messagePublished', id: expect.stringMatching(/^TZ/), data: { n: 2 } },
    ])
    expect(client.response.headers.get('content-type')).toMatch(/^text\/event-stream/)
  })

  test('does not hear other streams', async () => {
    const { url } = await served()
    const api = new ApiClient(url)
    for (const UniqueName of ['a', 'b']) await api.create({ UniqueName })
    const client = await listenAt(api.messagesOf('a'), BASIC)
    await api.publish('b', { n: 1 })
    await api.publish('a', { n: 2 })
    expect((await client.count(1)).map(({ data }) => data)).toEqual([{ n: 2 }])
  })

  test('is told that the stream was removed, and that it expired', async () => {
    const { url } = await served()
    const api = new ApiClient(url)
    const { body } = await api.create()
    await api.create({ UniqueName: 'brief', Ttl: '1' })
    const removed = await listenAt(api.messagesOf(body.sid), BASIC)
    const expired = await listenAt(api.messagesOf('brief'), BASIC)
    expect((await api.remove(body.sid)).status).toBe(204)
    await Promise.all([removed.ended, expired.ended])
    expect(removed.events).toEqual([{ event: 'removed', id: undefined, data: { reason: 'removed' } }])
    expect(expired.events).toEqual([{ event: 'removed', id: undefined, data: { reason: 'expired' } }])
    expect((await api.fetch('brief')).body.code).toBe(20404)
    expect((await api.create({ UniqueName: 'brief' })).status).toBe(201)
  })

  test('is told that a program removed or closed the stream of the hub', async () => {
    const { url, hub } = await served()
    const api = new ApiClient(url)
    for (const UniqueName of ['a', 'b']) await api.create({ UniqueName })
    const [a, b] = [await listenAt(api.messagesOf('a'), BASIC), await listenAt(api.messagesOf('b'), BASIC)]
    hub.stream('a').remove()
    hub.stream('b').close()
    await Promise.all([a.ended, b.ended])
    expect(a.events).toEqual([{ event: 'removed', id: undefined, data: { reason: 'removed' } }])
    expect(b.events).toEqual([{ event: 'closing', id: undefined, data: { reason: 'closed' } }])
    expect((await api.publish('a', { n: 1 })).status).toBe(201)
  })

  test('is told that the gateway ends', async () => {
    const { url, server } = await served()
    const api = new ApiClient(url)
    await api.create({ UniqueName: 'a' })
    const client = await listenAt(api.messagesOf('a'), BASIC)
    await server.close()
    await client.ended
    expect(client.events).toEqual([{ event: 'closing', id: undefined, data: { reason: 'shutdown' } }])
  })

  test('is told of a gap when the hub was away from its broker, and of what it missed', async () => {
    const broker = await ending(startNats())
    const proxy = await startProxy(broker)
    onTestFinished(() => proxy.close())
    const hub = await openLive(proxy.url)
    hub.on('error', () => {})
    const publisher = await openLive(broker.url)
    const gateway = createGateway({ services: { [SERVICE]: hub }, keys: [ACCOUNT_KEY] })
    const { url } = await servedGateway(gateway)
    const api = new ApiClient(url)
    await api.create({ UniqueName: 'a' })
    const client = await listenAt(api.messagesOf('a'), BASIC)
    publisher.stream('a').publish({ n: 1 })
    await client.count(1)

    proxy.mode = 'refuse'
    proxy.drop()
    await eventually(() => hub.status).toBe('down')
    const downMs = Date.now()
    for (const n of [2, 3]) publisher.stream('a').publish({ n })
    await publisher.flush()
    proxy.mode = 'pass'
    expect((await client.count(2))[1]).toMatchObject({ event: 'gap', id: undefined, data: { missed: 0 } })
    publisher.stream('a').publish({ n: 4 })
    await client.count(4)
    const gaps = client.events.filter(({ event }) => event === 'gap').map(({ data }) => data)
    const sinceMs = expect.any(Number)
    expect(gaps).toEqual([
      { missed: 0, sinceMs },
      { missed: 2, sinceMs },
    ])
    for (const gap of gaps as { sinceMs: number }[]) expect(gap.sinceMs).toBeLessThanOrEqual(downMs)
    const published = client.events.filter(({ event }) => event === 'messagePublished')
    expect(published.map(({ data }) => data)).toEqual([{ n: 1 }, { n: 4 }])
    expect(gateway.counts).toMatchObject({ sent: 2, dropped: 0 })
  })

  test('that the registry was asked for while the gateway ended is answered 503', async () => {
    const registry = memoryRegistry()
    const { url, server, gateway } = await served({ registry })
    const api = new ApiClient(url)
    await api.create({ UniqueName: 'a' })
    const find = registry.find.bind(registry)
    let answer = () => {}
    const asked = new Promise<void>((isAsked) => {
      vi.spyOn(registry, 'find').mockImplementation(async (...args) => {
        isAsked()
        await new Promise<void>((resolve) => {
          answer = resolve
        })
        return find(...args)
      })
    })
    const headers = { accept: 'text/event-stream', ...BASIC }
    const response = fetch(api.messagesOf('a'), { headers })
    await asked
    const closing = server.close()
    answer()
    expect((await response).status).toBe(503)
    await closing
    expect(gateway.counts.listeners).toBe(0)
  })

  test('of a new stream is not ended by the removal of the one before of its name', async () => {
    const registry = memoryRegistry()
    const { url, gateway } = await served({ registry })
    const api = new ApiClient(url)
    await api.create({ UniqueName: 'a' })
    await api.publish('a', {})
    const remove = registry.remove.bind(registry)
    let answer = () => {}
    const removed = new Promise<void>((isRemoved) => {
      vi.spyOn(registry, 'remove').mockImplementation(async (record) => {
        const result = await remove(record)
        isRemoved()
        await new Promise<void>((resolve) => {
          answer = resolve
        })
        return result
      })
    })
    const removal = api.remove('a')
    await removed
    await api.create({ UniqueName: 'a' })
    const client = await listenAt(api.messagesOf('a'), BASIC)
    answer()
    expect((await removal).status).toBe(204)
    await api.publish('a', { n: 1 })
    await client.count(1)
    expect(client.events).toMatchObject([{ event: 'messagePublished', data: { n: 1 } }])
    expect(gateway.counts.listeners).toBe(1)
  })

  test('that comes in the same tick as the removal of its stream is not left behind', async () => {
    const { url, hub, gateway } = await served()
    const api = new ApiClient(url)
    await api.create({ UniqueName: 'a' })
    const removal = gateway.fetch(new Request(api.urlOf('a'), { method: 'DELETE', headers: BASIC }))
    const headers = { accept: 'text/event-stream', ...BASIC }
    const response = await gateway.fetch(new Request(api.messagesOf('a'), { headers }))
    expect((await removal).status).toBe(204)
    if (response.status === 200) expect(await response.text()).toContain('event: removed')
    expect(gateway.counts.listeners).toBe(0)
    expect([...hub.streams()]).toEqual([])
  })

  test('is sent null where the output of a schema is no JSON, as the publisher is', async () => {
    const validate = () => ({ value: { n: 1n } })
    const schema: StreamOptions['schema'] = { '~standard': { version: 1, vendor: 'test', validate } }
    const hub = createHub({ streams: { a: { schema } } })
    const { url } = await served({ services: { [SERVICE]: hub } })
    const api = new ApiClient(url)
    await api.create({ UniqueName: 'a' })
    const client = await listenAt(api.messagesOf('a'), BASIC)
    const { status, body } = await api.publish('a', { n: 1 })
    expect([status, body.data]).toEqual([201, null])
    await client.count(1)
    expect(client.events).toMatchObject([{ id: body.sid, data: null }])
    await hub.close()
  })

  test('leaves nothing behind when its client goes', async () => {
    const { url, hub, gateway } = await served()
    const api = new ApiClient(url)
    await api.create({ UniqueName: 'a' })
    const client = await listenAt(api.messagesOf('a'), BASIC)
    expect(gateway.counts.listeners).toBe(1)
    expect(hub.ledger().subscribers).toBe(1)
    client.close()
    await waitFor(() => expect(gateway.counts.listeners).toBe(0))
    expect(hub.ledger().subscribers).toBe(0)
  })

  test('gets a sign of life while nothing is published', async () => {
    const { url } = await served({ limits: { listeners: { heartbeatMs: 20 } } })
    const api = new ApiClient(url)
    await api.create({ UniqueName: 'a' })
    const client = await listenAt(api.messagesOf('a'), BASIC)
    await client.until(() => client.comments.length >= 3)
    expect(client.events).toEqual([])
  })

  test('is refused beyond the limit of its key', async () => {
    const { url } = await served({ limits: { listeners: { maxPerKey: 1 } } })
    const api = new ApiClient(url)
    await api.create({ UniqueName: 'a' })
    const client = await listenAt(api.messagesOf('a'), BASIC)
    const listen = () => api.send('GET', api.messagesOf('a'), undefined, { accept: 'text/event-stream' })
    const refused = await listen()
    expect(refused).toMatchObject({ status: 429, body: { code: 20429 } })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    client.close()
    await waitFor(() => listenAt(api.messagesOf('a'), BASIC))
  })

  test('of a token is refused beyond the limit of each token, not of its key', async () => {
    const key = { sid: `SK${'3'.repeat(32)}`, secret: 'a secret of an API key, long enough' }
    const { url, gateway } = await served({
      keys: [ACCOUNT_KEY, key],
      limits: { listeners: { maxPerHolder: 2 } },
    })
    const api = new ApiClient(url)
    await api.create({ UniqueName: 'a' })
    const [mine, other] = [await tokenOf(key, 'mine'), await tokenOf(key, 'other')]
    const listen = (token: string) => listenAt(`${api.messagesOf('a')}?token=${token}`)
    const [first] = [await listen(mine), await listen(mine)]
    const refused = await fetch(`${api.messagesOf('a')}?token=${mine}`, { headers: SSE })
    expect([refused.status, await refused.json()]).toMatchObject([429, { code: 20429 }])
    await listen(other)
    const keyItself = basic(key.sid, key.secret)
    for (let n = 0; n < 3; n++) await listenAt(api.messagesOf('a'), keyItself)
    expect(gateway.counts.listeners).toBe(6)
    first.close()
    await waitFor(() => listen(mine))
  })

  test('that asks without the header is told how to listen', async () => {
    const { url } = await served()
    const api = new ApiClient(url)
    await api.create({ UniqueName: 'a' })
    const { status, body, headers } = await api.send('GET', api.messagesOf('a'))
    expect([status, headers.get('allow')]).toEqual([405, 'POST, GET'])
    expect(body.message).toContain('Accept: text/event-stream')
    expect(
      (await api.send('HEAD', api.messagesOf('a'), undefined, { accept: 'text/event-stream' })).status,
    ).toBe(405)
  })
})

describe('a client that stops reading', () => {
  const request = (api: ApiClient) =>
    [
      `GET ${new URL(api.messagesOf('a')).pathname} HTTP/1.1`,
      'Host: 127.0.0.1',
      'Accept: text/event-stream',
      `Authorization: ${BASIC.authorization}`,
      '\r\n',
    ].join('\r\n')
  const filling = 'x'.repeat(60_000)

  /** Serves a gateway to a client that listens to the stream `a` and takes nothing. */
  async function servedToStalled(options: Partial<GatewayOptions>, serving: ServeOptions = {}, own?: Hub) {
    const { url, server, gateway, ...scene } = await served(options, serving)
    const hub = own ?? scene.hub
    hub.stream('a', { limit: false, maxBytes: 65_536 })
    const api = new ApiClient(url)
    await api.create({ UniqueName: 'a' })
    const client = connect(server.port, '127.0.0.1').pause()
    client.on('error', () => {})
    client.write(request(api))
    await waitFor(() => expect(gateway.counts.listeners).toBe(1))
    return { hub, gateway, api, client }
  }

  test('loses the oldest messages, which are counted, and delays no other', async () => {
    const { hub, gateway, api, client } = await servedToStalled({
      limits: { listeners: { maxWaitingMessages: 4 } },
    })
    const reader = await listenAt(api.messagesOf('a'), BASIC)

    let published = 0
    while (gateway.counts.dropped < 20) {
      hub.stream('a').publish({ n: ++published, filling })
      await reader.until(() => reader.events.length === published)
    }
    expect(reader.events.map(({ data }) => (data as { n: number }).n)).toEqual(
      Array.from({ length: published }, (_, index) => index + 1),
    )
    client.destroy()
    await waitFor(() => expect(gateway.counts.listeners).toBe(1))
  })

  test('is told how much it lost when it reads again', async () => {
    const { hub, gateway, client } = await servedToStalled({
      limits: { listeners: { maxWaitingMessages: 2 } },
    })
    let published = 0
    while (gateway.counts.dropped < 20) {
      hub.stream('a').publish({ n: ++published, filling })
      await new Promise(setImmediate)
    }
    const { dropped } = gateway.counts
    let text = ''
    client.on('data', (chunk) => {
      text += chunk
    })
    client.resume()
    await waitFor(() => expect(text).toContain(`"n":${published},`))
    const told = [...text.matchAll(/event: dropped\s+data: \{"count":(\d+)\}/g)].map(([, count]) =>
      Number(count),
    )
    expect(told.reduce((sum, count) => sum + count, 0)).toBe(dropped)
    const arrived = [...text.matchAll(/event: messagePublished/g)].length
    expect(arrived + dropped).toBe(published)
    client.destroy()
  })

  test('is told of two gaps as one, in its place among the messages that are left', async () => {
    const bus = memoryBus()
    const hub = makeLive({ transport: bus.transport() })
    hub.on('error', () => {})
    const limits = { limits: { listeners: { maxWaitingMessages: 4 } }, services: { [SERVICE]: hub } }
    const { gateway, client } = await servedToStalled(limits, {}, hub)
    const stream = hub.stream('a')
    let published = 0
    while (gateway.counts.dropped === 0) {
      stream.publish({ n: ++published, filling })
      await new Promise(setImmediate)
    }
    for (let nth = 0; nth < 2; nth++) {
      const isBack = new Promise((resolve) => stream.once('gap', resolve))
      bus.down()
      bus.up()
      await isBack
    }
    for (let nth = 0; nth < 2; nth++) stream.publish({ n: ++published, filling })
    let text = ''
    client.on('data', (chunk) => {
      text += chunk
    })
    client.resume()
    await waitFor(() => expect(text).toContain(`"n":${published},`))
    const events = [...text.matchAll(/event: (gap|dropped)|"n":(\d+),/g)].map(
      ([, event, n]) => event ?? Number(n),
    )
    const last = [published - 3, published - 2, 'gap', published - 1, published]
    expect(events.slice(-6)).toEqual(['dropped', ...last])
    expect(events.filter((event) => event === 'gap')).toHaveLength(1)
    expect(text).toMatch(/event: gap\ndata: \{"missed":0,"sinceMs":\d{13}\}\n\n/)
    client.destroy()
  })

  test('is hung up on after a while, too, when the stream was removed', async () => {
    const { hub, gateway, api, client } = await servedToStalled({}, { writeStallMs: 100 })
    while (gateway.counts.dropped === 0) {
      hub.stream('a').publish({ filling })
      await new Promise(setImmediate)
    }
    await api.remove('a')
    expect(gateway.counts.listeners).toBe(0)
    await new Promise((resolve) => setTimeout(resolve, 300))
    let text = ''
    client.on('data', (chunk) => {
      text += chunk
    })
    client.resume()
    await new Promise((resolve) => client.once('close', resolve))
    expect(text).toContain('event: messagePublished')
    expect(text).not.toContain('event: removed')
  })

  test('is hung up on after a while', async () => {
    const { hub, gateway, client } = await servedToStalled({}, { writeStallMs: 100 })
    while (gateway.counts.listeners > 0) {
      hub.stream('a').publish({ filling })
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    client.resume()
    await new Promise((resolve) => client.once('close', resolve))
    expect(hub.ledger().subscribers).toBe(0)
  })

  test('is given up after a while, too, where another server is in front', async () => {
    const { url, hub, gateway } = await served({ limits: { listeners: { heartbeatMs: 20, stallMs: 100 } } })
    const api = new ApiClient(url)
    await api.create({ UniqueName: 'a' })
    const headers = { accept: 'text/event-stream', ...BASIC }
    const response = await gateway.fetch(new Request(api.messagesOf('a'), { headers }))
    await waitFor(() => expect(gateway.counts.listeners).toBe(0))
    expect(await response.text()).toBe('retry: 2000\n\n')
    expect(hub.ledger().subscribers).toBe(0)
  })
})

test('a hundred listeners on five streams get everything, and nothing twice', async () => {
  const { url, hub, gateway } = await served()
  const api = new ApiClient(url)
  const names = Array.from({ length: 5 }, (_, number) => `s${number}`)
  for (const UniqueName of names) await api.create({ UniqueName })
  const places = names.flatMap((name) => Array.from({ length: 20 }, () => name))
  const clients = await Promise.all(places.map((name) => listenAt(api.messagesOf(name), BASIC)))
  for (let n = 1; n <= 20; n++) {
    for (const name of names) hub.stream(name).publish({ n, name })
    await new Promise(setImmediate)
  }
  await Promise.all(clients.map((client) => client.count(20)))
  for (const [index, client] of clients.entries()) {
    const expected = Array.from({ length: 20 }, (_, n) => ({ n: n + 1, name: places[index] }))
    expect(client.events.map(({ data }) => data)).toEqual(expected)
  }
  expect(gateway.counts).toMatchObject({ listeners: 100, sent: 2000, dropped: 0 })
})
