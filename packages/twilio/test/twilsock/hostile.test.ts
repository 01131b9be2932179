import type { Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { waitFor } from '../../../../test/support/wait-for.ts'
import { accessToken } from '../../../gateway/test/support/access-token.ts'
import { ApiClient } from '../../../gateway/test/support/api-client.ts'
import { ACCOUNT } from '../../../gateway/test/support/served-gateway.ts'
import { FakeSocket } from '../support/fake-socket.ts'
import { RawSdk, rawFrame, requestHeader } from '../support/raw-sdk.ts'
import { SlowRegistry } from '../support/slow-registry.ts'
import { KEYS, servedSync, tokenOf } from '../support/sync-client.ts'

const START = 'TWILSOCK V3.0 '
const GARBAGE: readonly (readonly [string, string | Buffer])[] = [
  ['nothing', Buffer.alloc(0)],
  ['another protocol', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ['another version', Buffer.from('TWILSOCK V2.0 2\r\n{}\r\n')],
  ['no length', Buffer.from(`${START}\r\n{}\r\n`)],
  ['a length that is too small', Buffer.from(`${START}1\r\n{}\r\n`)],
  ['a length that is too large', Buffer.from(`${START}400\r\n{}\r\n`)],
  ['a huge length', Buffer.from(`${START}${'9'.repeat(400)}\r\n{}\r\n`)],
  ['a negative length', Buffer.from(`${START}-2\r\n{}\r\n`)],
  ['a header that is no JSON', Buffer.from(`${START}2\r\n{]\r\n`)],
  ['a header that is a list', Buffer.from(`${START}2\r\n[]\r\n`)],
  ['a header that is null', Buffer.from(`${START}4\r\nnull\r\n`)],
  ['a header of nothing but depth', deepHeader()],
  [
    'a header that is not UTF-8',
    Buffer.concat([Buffer.from(`${START}2\r\n`), Buffer.from([0xff, 0xfe, 13, 10])]),
  ],
  ['a header without a method', rawFrame({ id: 'a' })],
  ['a header without an id', rawFrame({ method: 'init' })],
  ['an id that is a number', rawFrame({ method: 'init', id: 1 })],
  ['a payload that is shorter than said', Buffer.from(withSize(1, ''))],
  ['a payload that is longer than said', Buffer.from(withSize(1, 'abcd'))],
  ['a size of a payload that is a text', Buffer.from(withSize('1', 'a'))],
  ['a size of a payload below zero', Buffer.from(withSize(-1, ''))],
  ['a text message', rawFrame({ method: 'init', id: 'a' }).toString()],
]

function withSize(size: unknown, payload: string): string {
  const head = JSON.stringify({ method: 'init', id: 'a', payload_size: size })
  return `${START}${head.length}\r\n${head}\r\n${payload}`
}

function deepHeader(): Buffer {
  const head = `{"a":${'['.repeat(5_000)}${']'.repeat(5_000)},"method":1}`
  return Buffer.from(`${START}${head.length}\r\n${head}\r\n`)
}

async function start(options: Parameters<typeof servedSync>[0] = {}) {
  const served = await servedSync(options)
  const witness = await (await new RawSdk(served.url).open()).init()
  return { ...served, witness, api: new ApiClient(served.url) }
}

async function subscribe(sdk: RawSdk, sid: string) {
  await sdk.request('POST', '/v4/Subscriptions', {
    action: 'establish',
    correlation_id: 1,
    requests: [{ object_sid: sid, object_type: 'stream' }],
  })
  return sdk.until(({ payload }) => payload?.event_type === 'subscription_established')
}

describe('a client that does not speak Twilsock', () => {
  test.each(GARBAGE)('is closed alone when it sends %s', async (_name, bytes) => {
    const { url, witness, gateway } = await start()
    for (const isKnown of [false, true]) {
      const hostile = await new RawSdk(url).open()
      if (isKnown) await hostile.init()
      hostile.socket.send(bytes)
      await hostile.closed
      const last = hostile.frames.at(-1)?.header
      expect(last).toMatchObject({ method: 'close', status: { code: 406, errorCode: 51214 } })
    }
    expect((await witness.request('GET', '/v3/Streams/a')).header.http_status.code).toBe(404)
    await waitFor(() => expect(gateway.counts.connections).toBe(1))
  })

  test('is closed when it asks before it says who it is', async () => {
    const { url } = await start()
    const hostile = await new RawSdk(url).open()
    hostile.say(requestHeader('GET', '/v3/Streams/a'))
    await hostile.closed
    expect(hostile.frames).toHaveLength(1)
    expect(hostile.frames[0]?.header).toMatchObject({ method: 'close', status: { code: 401 } })
  })

  test('is closed when it says twice who it is, also at once', async () => {
    const { url, gateway } = await start()
    for (const isAtOnce of [true, false]) {
      const hostile = await new RawSdk(url).open()
      if (isAtOnce) hostile.say({ method: 'init', token: tokenOf('alice') })
      else await hostile.init()
      hostile.say({ method: 'init', token: tokenOf('bob') })
      await hostile.closed
      expect(hostile.frames.at(-1)?.header).toMatchObject({ method: 'close', status: { code: 406 } })
    }
    await waitFor(() => expect(gateway.counts.connections).toBe(1))
  })

  test('is closed when its frames are larger than a mebibyte', async () => {
    const { url, witness } = await start()
    const hostile = await (await new RawSdk(url).open()).init()
    hostile.socket.send(rawFrame({ method: 'message', id: 'a' }, `{"data":"${'x'.repeat(1_100_000)}"}`))
    expect(await hostile.closed).toBe(1009)
    expect((await witness.request('GET', '/v3/Streams/a')).header.http_status.code).toBe(404)
  })
})

describe('a client that is hostile in requests', () => {
  const REQUESTS: readonly (readonly [string, string, unknown, number])[] = [
    ['POST', '/v4/Subscriptions', undefined, 400],
    ['POST', '/v4/Subscriptions', [], 400],
    ['POST', '/v4/Subscriptions', { action: 'establish', correlation_id: '1', requests: [] }, 400],
    ['POST', '/v4/Subscriptions', { action: 'other', correlation_id: 1, requests: [] }, 400],
    ['POST', '/v4/Subscriptions', { action: 'establish', correlation_id: 1, requests: [null] }, 400],
    ['POST', '/v4/Subscriptions', { action: 'establish', correlation_id: 1, requests: {} }, 400],
    ['POST', '/v3/Streams', 'text', 400],
    ['POST', '/v3/Streams', null, 400],
    ['POST', '/v3/Streams', { unique_name: 7 }, 400],
    ['POST', '/v3/Streams', { unique_name: ['a'] }, 400],
    ['POST', '/v3/Streams', { ttl: '1' }, 400],
    ['POST', '/v3/Streams', { ttl: -1 }, 400],
    ['POST', '/v3/Streams', { unique_name: '\ud800' }, 400],
    ['GET', '/v3/Streams/%', undefined, 404],
    ['GET', '/v3/Streams/%ff', undefined, 404],
    ['GET', '/v3/Streams/', undefined, 404],
    ['GET', '/v3/Streams', undefined, 501],
    ['GET', '/v1/Services/default/Streams/a', undefined, 501],
    ['PATCH', '/v3/Streams/a', {}, 501],
    ['__proto__', '', undefined, 501],
    ['GET', '//v3/Streams/a', undefined, 501],
    ['POST', '/v3/Streams/here/Messages', { data: [] }, 400],
    ['POST', '/v3/Streams/here/Messages', { data: null }, 400],
    ['POST', '/v3/Streams/here/Messages', {}, 400],
    ['POST', '/v3/Streams/here/Messages/more', { data: {} }, 501],
    ['POST', '/v3/Streams/here', {}, 400],
    ['POST', '/v3/Streams/here', { ttl: 1.5 }, 400],
  ]

  test.each(REQUESTS)('is answered: %s %s with %j', async (method, path, body, status) => {
    const { witness, api, hub } = await start()
    await api.create({ UniqueName: 'here' })
    const { header, payload } = await witness.request(method, path, body)
    expect(header).toMatchObject({ status: { code: 200 }, http_status: { code: status } })
    expect(payload).toMatchObject({ status, code: expect.any(Number), message: expect.any(String) })
    expect(payload.more_info).toContain(String(payload.code))
    expect(hub.ledger().accepted).toBe(0)
    expect((await api.list()).body.streams).toHaveLength(1)
  })

  test('is answered when numbers overflow, JSON is broken, or bytes are no text', async () => {
    const { witness, api } = await start()
    await api.create({ UniqueName: 'here' })
    const header = requestHeader('POST', '/v3/Streams/here/Messages')
    for (const payload of ['{"data":{"n":1e400}}', '{"data":{}', '{"data":{},}', '\ud800']) {
      const answer = await witness.ask(header, payload)
      expect(answer.payload).toMatchObject({ status: 400, code: 54008 })
    }
    expect((await witness.ask({ method: 'message' })).header.status.code).toBe(400)
    expect((await witness.ask({ method: 'message', http_request: { method: 1 } })).header.status.code).toBe(
      400,
    )
  })

  test('removes a stream with a payload that is no JSON', async () => {
    const { witness, api } = await start()
    const { body } = await api.create({ UniqueName: 'here' })
    const removed = await witness.ask(requestHeader('DELETE', `/v3/Streams/${body.sid}`), 'data_sync')
    expect(removed.header.http_status.code).toBe(204)
  })

  test('is not told of the removal that it asked for, whereas others are', async () => {
    const { url, witness, api } = await start()
    const other = await (await new RawSdk(url).open()).init()
    const { body } = await api.create({ UniqueName: 'here' })
    for (const sdk of [witness, other]) await subscribe(sdk, body.sid)
    await witness.request('DELETE', `/v3/Streams/${body.sid}`)
    const { payload } = await other.until((frame) => frame.payload?.event_type === 'stream_removed')
    expect(payload.event).toEqual({ stream_sid: body.sid })
    await witness.request('GET', '/v3/Streams/here')
    expect(witness.frames.filter((frame) => frame.payload?.event_type === 'stream_removed')).toEqual([])
  })

  test('subscribes to the same stream again and again, and has one subscription', async () => {
    const { witness, gateway, api } = await start()
    const { body } = await api.create({ UniqueName: 'here' })
    for (let n = 0; n < 5; n++)
      await subscribe(witness, n % 2 ? body.sid : `TO${body.sid.slice(2).toUpperCase()}`)
    expect(gateway.counts.subscriptions).toBe(1)
    await api.publish('here', { n: 1 })
    await witness.until(({ payload }) => payload?.event_type === 'stream_message_published')
    const cancel = {
      action: 'cancel',
      correlation_id: 7,
      requests: [{ object_sid: body.sid, object_type: 'stream' }],
    }
    for (let n = 0; n < 2; n++) await witness.request('POST', '/v4/Subscriptions', cancel)
    expect(gateway.counts.subscriptions).toBe(0)
    const messages = witness.frames.filter(
      ({ payload }) => payload?.event_type === 'stream_message_published',
    )
    expect(messages).toHaveLength(1)
    const canceled = witness.frames.filter(({ payload }) => payload?.event_type === 'subscription_canceled')
    expect(canceled.map(({ payload }) => payload.correlation_id)).toEqual([7, 7])
  })

  test('is told which subscriptions failed, in the batch of those that did not', async () => {
    const { witness, api } = await start()
    const { body } = await api.create({ UniqueName: 'here' })
    const sids = [body.sid, `TO${'0'.repeat(32)}`, 'here', '']
    const requests = sids.map((object_sid) => ({ object_sid, object_type: 'stream' }))
    await witness.request('POST', '/v4/Subscriptions', { action: 'establish', correlation_id: 5, requests })
    const made = await witness.until(({ payload }) => payload?.event_type === 'subscription_established')
    expect(made.payload.events).toMatchObject([{ object_sid: body.sid, replay_status: 'completed' }])
    const failed = await witness.until(({ payload }) => payload?.event_type === 'subscription_failed')
    expect(failed.payload.correlation_id).toBe(5)
    expect(failed.payload.events).toMatchObject(
      sids.slice(1).map((object_sid) => ({ object_sid, error: { status: 404, code: 54250 } })),
    )
  })

  test('is answered 429 beyond a thousand requests at once, and loses no answer', async () => {
    const slow = new SlowRegistry()
    const { witness } = await start({ registry: slow.registry })
    slow.hold()
    const ids = Array.from({ length: 1001 }, () => witness.say(requestHeader('GET', '/v3/Streams/a')))
    const [last] = ids.slice(-1)
    const refused = await witness.until(({ header }) => header.id === last)
    expect(refused.payload).toMatchObject({ status: 429, code: 20429 })
    slow.release()
    const replies = await Promise.all(ids.map((id) => witness.until(({ header }) => header.id === id)))
    const codes = replies.map(({ header }) => header.http_status.code)
    expect(codes).toEqual([...Array(1000).fill(404), 429])
  })

  test('is answered that a stream is gone when it publishes right behind the removal', async () => {
    const { witness, api, hub } = await start()
    const { body } = await api.create({ UniqueName: 'a' })
    const socket = Reflect.get(witness.socket, '_socket') as Socket
    // Both frames in one segment.
    socket.cork()
    const removal = witness.say(requestHeader('DELETE', `/v3/Streams/${body.sid}`))
    const publish = witness.say(requestHeader('POST', `/v3/Streams/${body.sid}/Messages`), '{"data":{}}')
    socket.uncork()
    const codeOf = async (id: string) =>
      (await witness.until(({ header }) => header.id === id)).header.http_status.code
    expect([await codeOf(removal), await codeOf(publish)]).toEqual([204, 404])
    expect([...hub.streams()]).toEqual([])
  })

  test('is closed at a message in many fragments, or a header of more than 16 KiB', async () => {
    const { url } = await start()
    const fragmented = await (await new RawSdk(url).open()).init()
    for (let part = 0; part < 33; part++) fragmented.socket.send('x', { fin: false })
    expect(await fragmented.closed).toBe(1008)
    const long = await (await new RawSdk(url).open()).init()
    const header = requestHeader('GET', '/v3/Streams/a')
    long.say({ ...header, filling: 'x'.repeat(15_000) })
    await long.until(({ header }) => header.http_status?.code === 404)
    long.say({ ...header, filling: 'x'.repeat(17_000) })
    await long.closed
    expect(long.frames.at(-1)?.header).toMatchObject({ method: 'close', status: { code: 406 } })
  })

  test('is answered 429 beyond four mebibytes of requests at once, and not afterwards', async () => {
    const slow = new SlowRegistry()
    const { witness } = await start({ registry: slow.registry })
    slow.hold()
    const header = requestHeader('GET', '/v3/Streams/a')
    const filling = 'x'.repeat(1_000_000)
    const held = Array.from({ length: 4 }, () => witness.say(header, filling))
    expect((await witness.ask(header, filling)).header.http_status.code).toBe(429)
    slow.release()
    await Promise.all(held.map((id) => witness.until(({ header }) => header.id === id)))
    expect((await witness.ask(header, filling)).header.http_status.code).toBe(404)
  })
})

describe('a gateway', () => {
  test('waits for at most 2 000 clients that have not said who they are', async () => {
    const { gateway, witness } = await start()
    const accept = () => {
      const socket = new FakeSocket()
      socket.handler = gateway.acceptTwilsock(socket)
      return socket
    }
    const pending = Array.from({ length: 2000 }, accept)
    expect(pending.filter(({ closeCode }) => closeCode !== undefined)).toEqual([])
    // The oldest gives way. Somebody who is known makes room, and so does somebody who goes.
    accept()
    await pending[1]?.ask({ method: 'init', token: tokenOf('bob') })
    pending[2]?.handler?.closed()
    for (let n = 0; n < 3; n++) accept()
    const gone = pending.filter(({ closeCode }) => closeCode !== undefined)
    expect(gone).toEqual([pending[0], pending[3]])
    expect(gone.map(({ closeCode, isTerminated }) => [closeCode, isTerminated])).toEqual([
      [1013, true],
      [1013, true],
    ])
    expect((await witness.request('GET', '/v3/Streams/a')).header.http_status.code).toBe(404)
    for (const { handler } of pending) handler?.closed()
  })

  test('takes as many connections as an identity may have', async () => {
    const { url, witness } = await start({ limits: { sdk: { maxPerIdentity: 2 } } })
    await (await new RawSdk(url).open()).init()
    const third = await new RawSdk(url).open()
    const reply = await third.ask({ method: 'init', token: tokenOf('alice') })
    expect(reply.header.status).toMatchObject({ code: 429, errorCode: 51202 })
    expect(reply.payload).toEqual({ backoff_policy: { reconnect_min_ms: 10_000 } })
    await third.closed
    await (await new RawSdk(url).open()).init(tokenOf('bob'))
    witness.say({ method: 'close' })
    await witness.closed
    await (await new RawSdk(url).open()).init()
  })

  test('lets no key use up the connections that the identities of another key have', async () => {
    const pub = { sid: `SK${'6'.repeat(32)}`, secret: 'the-secret-of-a-key-that-may-only-publish' }
    const grants = [{ streams: 'pub/*', allow: ['publish'] as const }]
    const { url } = await start({
      keys: [...KEYS, { ...pub, grants }],
      limits: { sdk: { maxPerIdentity: 2 } },
    })
    const forBob = () => accessToken({ identity: 'bob', key: pub.sid, secret: pub.secret })
    for (let n = 0; n < 2; n++) await (await new RawSdk(url).open()).init(forBob())
    await (await new RawSdk(url).open()).init(tokenOf('bob'))
  })

  test('takes frames as the mobile SDKs write them, and odd metadata', async () => {
    const { url } = await start()
    const sdk = await new RawSdk(url).open()
    const init = { method: 'init', id: 'a', token: tokenOf('alice'), metadata: { osa: 64 }, tweaks: null }
    const head = JSON.stringify(init)
    sdk.socket.send(Buffer.from(`${START}${Buffer.byteLength(head)}\r\n${head}\r\n\r\n`))
    const { header } = await sdk.until((frame) => frame.header.id === 'a')
    expect(header).toMatchObject({
      method: 'reply',
      status: { code: 200, status: 'OK' },
      offline_storage: { data_sync: { storage_id: expect.stringMatching(/^[0-9a-f]{32}$/) } },
    })
    expect(header.capabilities).not.toContain('telemetry.v1')
    sdk.socket.send(
      Buffer.concat([
        rawFrame({ ...requestHeader('POST', '/v3/Streams'), id: 'b' }, '{}'),
        Buffer.from('\r\n'),
      ]),
    )
    expect((await sdk.until((frame) => frame.header.id === 'b')).header.http_status.code).toBe(201)
    expect((await sdk.ask({ method: 'put_notification_ctx' })).header.status.code).toBe(200)
  })

  test('gives each user, service and epoch a storage of its own', async () => {
    const [one, other] = [await servedSync(), await servedSync()]
    const storageOf = async (url: string, identity: string) => {
      const sdk = await new RawSdk(url).open()
      const { header } = await sdk.ask({ method: 'init', token: tokenOf(identity) })
      return header.offline_storage.data_sync.storage_id
    }
    const first = await storageOf(one.url, 'alice')
    expect(await storageOf(one.url, 'alice')).toBe(first)
    expect(await storageOf(one.url, 'bob')).not.toBe(first)
    expect(await storageOf(other.url, 'alice')).not.toBe(first)
  })

  test('names key and identity in its log', async () => {
    const lines: object[] = []
    const { witness, api } = await start({
      log: { debug: (line) => lines.push(line), info() {}, warn() {}, error() {} },
    })
    await witness.request('GET', '/v3/Streams/a')
    await api.list()
    expect(lines).toContainEqual(
      expect.objectContaining({
        route: 'twilsock',
        method: 'GET Stream',
        key: KEYS[1].sid,
        identity: 'alice',
      }),
    )
    expect(lines).toContainEqual(expect.objectContaining({ route: 'list', key: ACCOUNT, status: 200 }))
  })

  test('keeps tokens, names and messages out of its log', async () => {
    const lines: string[] = []
    const note = (fields: object, message: string) => void lines.push(JSON.stringify({ ...fields, message }))
    const { witness, url } = await start({ log: { debug: note, info: note, warn: note, error: note } })
    await witness.request('POST', '/v3/Streams', { unique_name: 'secret-name' })
    await witness.request('POST', '/v3/Streams/secret-name/Messages', { data: { text: 'secret-text' } })
    await witness.request('GET', '/v3/Documents/secret-name')
    await witness.request('secret-method', '/v3/Streams/secret-name')
    const denied = await new RawSdk(url).open()
    await denied.ask({ method: 'init', token: `${tokenOf('alice')}x` })
    expect(lines.length).toBeGreaterThanOrEqual(4)
    expect(lines.join('\n')).not.toMatch(/secret|eyJ/)
  })
})

describe('a client that never reads', () => {
  async function startWithFlood() {
    const served = await start({ limits: { sdk: { maxWaitingBytes: 65_536 } } })
    served.hub.stream('flood', { limit: { ratePerSecond: 1e6, burst: 1e6 } })
    const { body } = await served.api.create({ UniqueName: 'flood' })
    return { ...served, sid: body.sid as string }
  }

  /** Resolves when there is no room for a message to a client any more. */
  async function flood({ hub, gateway }: Awaited<ReturnType<typeof start>>) {
    const stream = hub.stream('flood')
    for (let n = 0; gateway.counts.dropped === 0; n++) {
      stream.publish({ n, text: 'x'.repeat(4000) })
      // Lets the socket take what it can.
      if (n % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
  }

  test('loses messages, which are counted, and gets every other whole and in order', async () => {
    const served = await startWithFlood()
    const { witness, gateway } = served
    await subscribe(witness, served.sid)
    witness.socket.pause()
    await flood(served)
    const { sent, dropped } = gateway.counts
    expect(dropped).toBeGreaterThan(0)
    witness.socket.resume()
    // Every frame before this answer has arrived by then.
    await witness.request('GET', '/v3/Streams/flood')
    const numbers = witness.frames.flatMap(({ payload }) => payload?.event?.message_data?.n ?? [])
    expect(numbers).toHaveLength(sent)
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b))
    expect(new Set(numbers).size).toBe(sent)
  })

  test('alone is ended when its answers are over the limit', async () => {
    const served = await startWithFlood()
    const { url, witness, gateway } = served
    const hostile = await (await new RawSdk(url).open()).init()
    await subscribe(hostile, served.sid)
    hostile.socket.pause()
    await flood(served)
    while (gateway.counts.connections === 2) {
      hostile.say(requestHeader('GET', '/v3/Streams/flood'))
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(gateway.counts.subscriptions).toBe(0)
    expect((await witness.request('GET', '/v3/Streams/flood')).header.http_status.code).toBe(200)
  })
})
