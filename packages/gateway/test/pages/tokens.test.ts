import { inspect } from 'node:util'
import { websocket } from '@rivulet/websocket'
import { createHub, type Hub, type RivuletError } from 'rivulet'
import { describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { eventually, makeLive } from '../../../../test/support/live.ts'
import { ScriptedTransport } from '../../../../test/support/scripted-transport.ts'
import { relay } from '../../src/relay.ts'
import { topicOf } from '../support/frames.ts'
import { HUB, serve } from '../support/scene.ts'

describe('a token', () => {
  test('is renewed before it expires, on the connection that stands', async () => {
    const replaced: string[] = []
    const { server } = await serve({
      session: (token) => ({
        identity: 'ann',
        // Long enough for a machine that stands still for a while, short enough to live through.
        expiresMs: Date.now() + 4_000,
        ended: () => replaced.push(token),
      }),
    })
    let given = 0
    const { hub, downs } = await open(server.url, () => `token ${++given}`)
    const heard: number[] = []
    await hub.stream<{ n: number }>('positions').subscribe(({ data }) => heard.push(data.n)).ready
    await eventually(() => replaced).toEqual(['token 1', 'token 2'])
    expect(given).toBe(3)
    expect(downs).toEqual([])
    expect(server.pages.counts.pages).toBe(1)
    hub.stream('positions').publish({ n: 1 })
    await hub.flush()
    expect(hub.ledger()).toMatchObject({ confirmed: 1, unconfirmed: 0 })
  })

  test('that expires ends the connection, and the page comes back with another one', async () => {
    const { server } = await serve({
      session: (token) => ({ expiresMs: token === 'short' ? Date.now() + 500 : undefined }),
    })
    const tokens = ['short', new Error('the login is away'), 'long']
    const { hub, downs, errors } = await open(server.url, () => {
      const token = tokens.shift() ?? 'long'
      if (token instanceof Error) throw token
      return token
    })
    await eventually(() => downs.length).toBe(1)
    await eventually(() => hub.status).toBe('up')
    expect(errors).toContain('The WebSocket ended: the token expired.')
    expect(errors.some((message) => message.includes('the login is away'))).toBe(true)
  })

  test('that is refused five times in a row fails the hub', async () => {
    let asked = 0
    const authenticate = async () => {
      asked += 1
      return { refused: 'no such key', isFinal: true }
    }
    const { server } = await serve({ authenticate })
    const hub = createHub({
      transport: websocket({ url: server.url, WebSocket, token: () => 'x' }),
      name: HUB,
    })
    onTestFinished(async () => void (await hub.close()))
    hub.on('error', () => {})
    const error = await hub.ready().catch((cause: RivuletError) => cause)
    expect(error).toMatchObject({ code: 'TRANSPORT_FAILED' })
    expect((error as Error).message).toContain('no such key')
    expect(asked).toBe(5)
  })

  test('that is the error page of a proxy, or empty, does not fail the hub', async () => {
    const scene = await serve()
    const good = { relay: scene.relay, identity: 'ann', may: () => true, expiresMs: undefined }
    const { server } = await serve({
      authenticate: async ({ token }) =>
        token === 'good' ? { ...good, prefixKey: undefined } : { refused: 'no token', isFinal: true },
    })
    const tokens = ['', '<h1>502 Bad Gateway</h1>', '', '<h1>502 Bad Gateway</h1>']
    const { hub } = await open(server.url, () => tokens.shift() ?? 'good')
    expect([hub.status, tokens]).toEqual(['up', []])
  })

  test('that is refused while the hub is up is asked for again at once', async () => {
    const scene = await serve()
    let expiresMs: number | undefined = Date.now() + 1000
    const { server } = await serve({
      authenticate: async ({ token }) =>
        token === 'good'
          ? { relay: scene.relay, identity: 'ann', may: () => true, expiresMs, prefixKey: undefined }
          : { refused: 'no token', isFinal: true },
    })
    const tokens = ['good', '<h1>502 Bad Gateway</h1>']
    const { hub, downs } = await open(server.url, () => tokens.shift() ?? 'good')
    expiresMs = undefined
    await eventually(() => downs.length).toBe(1)
    await hub.ready()
    expect([hub.status, tokens]).toEqual(['up', []])
  })

  test('that is refused for now is asked for again', async () => {
    let asked = 0
    const scene = await serve()
    const refuseTwice = await serve({
      authenticate: async () =>
        ++asked <= 2
          ? { refused: 'busy', isFinal: false }
          : {
              relay: scene.relay,
              identity: 'ann',
              may: () => true,
              expiresMs: undefined,
              prefixKey: undefined,
            },
    })
    const { hub } = await open(refuseTwice.server.url, () => 'x')
    expect(hub.status).toBe('up')
    expect(asked).toBe(3)
  })

  test('that is no string is an outage, and the next one is asked for', async () => {
    const { server } = await serve()
    const tokens = [7, undefined, { token: 'hunter2' }]
    const hub = makeLive({
      transport: websocket({
        url: server.url,
        WebSocket,
        token: async () => (tokens.length > 0 ? tokens.shift() : 'good') as string,
      }),
      name: HUB,
    })
    const errors: string[] = []
    hub.on('error', (error) => errors.push(inspect(error)))
    await hub.ready()
    expect(errors).toHaveLength(3)
    expect(errors[0]).toContain('"token" gave no token: it is a string, not a number')
    expect(errors.join()).not.toContain('hunter2')
  })

  test('of another identity does not take over a connection', async () => {
    const { welcomed } = await serve()
    const page = await welcomed('ann')
    page.text('token', 'bob')
    expect(await page.closed).toEqual({ code: 4103, reason: 'the new token is of another identity' })
  })

  test('with fewer grants ends the joins that it does not allow', async () => {
    const upstream = new ScriptedTransport()
    const { welcomed, hub, server } = await serve({
      upstream,
      session: (token) => ({
        identity: 'ann',
        may: (_, streamName) => token === 'wide' || streamName === 'kept',
      }),
    })
    const page = await welcomed('wide')
    await page.join(topicOf('kept'))
    await page.join(topicOf('lost'))
    upstream.answers.join = 'hang'
    const waiting = page.join(topicOf('waiting'))
    await page.barrier()
    page.text('token', 'narrow')
    await page.next('renewed')
    expect(page.received.map(({ kind }) => kind).slice(-3)).toEqual(['left', 'refused', 'renewed'])
    expect(await waiting).toMatchObject({ kind: 'refused', text: 'no permission to listen' })
    expect(page.all('left')).toMatchObject([{ topic: topicOf('lost'), text: 'no permission to listen' }])
    expect(server.pages.counts).toMatchObject({ joins: 1, refused: 1 })
    hub.stream('lost').publish({ n: 1 })
    hub.stream('kept').publish({ n: 2 })
    await page.barrier()
    expect(page.all('frame').map(({ topic }) => topic)).toEqual([topicOf('kept')])
  })

  test('of another relay leaves nothing at the relay before', async () => {
    const other = relay()
    const { relay: first, welcomed } = await serve({
      session: (token) => (token === 'other' ? { relay: other, identity: 'ann' } : {}),
    })
    let attached = 0
    const attach = first.attach.bind(first)
    first.attach = (guest) => {
      const port = attach(guest)
      const detach = port.detach.bind(port)
      attached++
      port.detach = () => {
        attached--
        detach()
      }
      return port
    }
    const page = await welcomed('ann')
    expect(attached).toBe(1)
    page.text('token', 'other')
    expect(await page.closed).toEqual({ code: 4103, reason: 'the new token is of another identity' })
    expect(attached).toBe(0)
  })

  test('is checked one at a time, and not often', async () => {
    const { welcomed } = await serve()
    const page = await welcomed('ann')
    page.text('token', 'ann')
    page.text('token', 'ann')
    expect(await page.closed).toEqual({ code: 4105, reason: 'too many tokens' })
    const patient = await welcomed('ann')
    for (let n = 1; n <= 3; n++) {
      patient.text('token', 'ann')
      await patient.barrier()
      await eventually(() => patient.all('renewed').length).toBe(n)
    }
    patient.text('token', 'ann')
    expect(await patient.closed).toEqual({ code: 4105, reason: 'too many tokens' })
  })
})

test('a session that the server ends is told once, and the page comes back', async () => {
  const ended: string[] = []
  const { server } = await serve({ session: (token) => ({ ended: () => ended.push(token) }) })
  const { hub, downs } = await open(server.url, () => 'ann')
  const { hub: other, downs: othersDowns } = await open(server.url, () => 'bob')
  server.pages.endWhere(({ identity }) => identity === 'ann')
  await eventually(() => ended).toEqual(['ann'])
  await eventually(() => downs.length).toBe(1)
  await eventually(() => hub.status).toBe('up')
  expect(other.status).toBe('up')
  expect(othersDowns).toEqual([])
  await hub.close()
  await eventually(() => ended).toEqual(['ann', 'ann'])
})

/** Opens a page's hub, and notes its outages and errors. */
async function open(
  url: string,
  token: () => string,
): Promise<{ hub: Hub; downs: string[]; errors: string[] }> {
  const hub = makeLive({ transport: websocket({ url, WebSocket, token }), name: HUB })
  const downs: string[] = []
  const errors: string[] = []
  hub.on('error', (error) => errors.push(error.message.replace(` (hub "${HUB}")`, '')))
  await hub.ready()
  hub.on('status', (status) => {
    if (status === 'down') downs.push(status)
  })
  return { hub, downs, errors }
}

test('a session whose `ended` throws ends like another', async () => {
  const { server, welcomed } = await serve({
    session: () => ({
      ended: () => {
        throw new Error('broken')
      },
    }),
  })
  const [page, other] = [await welcomed('ann'), await welcomed('bob')]
  server.pages.endWhere(() => true)
  expect([await page.closed, await other.closed]).toMatchObject([{ code: 4103 }, { code: 4103 }])
  expect(server.pages.counts.pages).toBe(0)
})
