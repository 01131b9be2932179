import { createGateway, type Gateway, type MountProtocol } from '@rivulet/gateway'
import { ApiError, jsonAnswer, PROBLEMS, type ProtocolRoute } from '@rivulet/gateway/protocol'
import { createHub } from 'rivulet'
import { expect, onTestFinished, test } from 'vitest'
import { BASIC } from '../support/api-client.ts'
import { ACCOUNT_KEY } from '../support/served-gateway.ts'

const ORIGIN = 'http://127.0.0.1'
const TYPE = { 'content-type': 'text/plain' }

/** A protocol with one route, which answers with what it got. "locked" may not be written; "no" is no note. */
function notes(): { mount: MountProtocol; bodiesRead: string[] } {
  const bodiesRead: string[] = []
  const begin = (path: string, contentType: string | null, keySid: string | undefined) => {
    if (path.endsWith('/locked')) throw new ApiError(PROBLEMS.forbidden)
    return (text: string) => {
      bodiesRead.push(text)
      if (text === 'no') throw new ApiError(PROBLEMS.badRequest)
      const answer = jsonAnswer({ path, contentType, keySid, text }, 201)
      return text === 'later' ? Promise.resolve(answer) : answer
    }
  }
  const route: ProtocolRoute = {
    method: 'POST',
    path: '/notes/:id',
    name: 'write',
    handle: async ({ path, request, caller }) =>
      begin(path, request.headers.get('content-type'), caller.keySid)(await request.text()),
    text: {
      maxBytes: 10,
      begin: ({ path, contentType, caller }) => begin(path, contentType, caller.keySid),
    },
  }
  const mount = () => ({
    routes: [route],
    sockets: [],
    description: '{}',
    counts: { listeners: 0, connections: 0, subscriptions: 0, sent: 0, dropped: 0 },
    status: 'up' as const,
    writeProblem: ({ code }: { code: number }) => JSON.stringify({ note: code }),
    unknownRoute: () => jsonAnswer({}, 404),
    endOf() {},
    async close() {},
  })
  return { mount, bodiesRead }
}

function gatewayOfNotes(basePath?: string): { gateway: Gateway; bodiesRead: string[] } {
  const { mount, bodiesRead } = notes()
  const hub = createHub()
  const gateway = createGateway({ hub, keys: [ACCOUNT_KEY], basePath, protocol: mount })
  onTestFinished(async () => {
    await gateway.close()
    await hub.close()
  })
  return { gateway, bodiesRead }
}

interface Given {
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly text?: string
}

/** Answers without a web `Request`; `undefined` where only `fetch` answers. */
async function direct(gateway: Gateway, { path, headers = BASIC, text = 'a' }: Given) {
  const lowerCase: Record<string, string> = { 'content-length': String(text.length), ...TYPE }
  for (const [name, value] of Object.entries(headers)) lowerCase[name.toLowerCase()] = value
  const found = gateway.publish({ target: path, header: (name) => lowerCase[name] })
  const answer = typeof found === 'function' ? await found(text) : found
  return answer && { status: answer.status, body: JSON.parse(answer.body as string) }
}

async function byFetch(gateway: Gateway, { path, headers = BASIC, text = 'a' }: Given) {
  const request = { method: 'POST', headers: { ...TYPE, ...headers }, body: text }
  const answer = await gateway.fetch(new Request(`${ORIGIN}${path}`, request))
  return { status: answer.status, body: await answer.json() }
}

test.each<[string, Given, number]>([
  ['a note', { path: '/notes/a' }, 201],
  ['an encoded path', { path: '/notes/a%2Fb' }, 201],
  ['an answer that comes later', { path: '/notes/a', text: 'later' }, 201],
  ['a refused head', { path: '/notes/locked' }, 403],
  ['a refused body', { path: '/notes/a', text: 'no' }, 400],
  ['a wrong password', { path: '/notes/a', headers: { Authorization: `Basic ${btoa('a:b')}` } }, 401],
])('both ways of a route give the same answer: %s', async (_, given, status) => {
  const { gateway } = gatewayOfNotes()
  const answer = await direct(gateway, given)
  expect(answer?.status).toBe(status)
  expect(answer).toEqual(await byFetch(gateway, given))
})

test('a refused head leaves the body unread', async () => {
  const { gateway, bodiesRead } = gatewayOfNotes()
  await direct(gateway, { path: '/notes/locked' })
  expect(bodiesRead).toEqual([])
})

test.each<[string, Given]>([
  ['another path', { path: '/other/a' }],
  ['a longer path', { path: '/notes/a/b' }],
  ['a path that a URL would rewrite', { path: '/notes/..' }],
  ['a query', { path: '/notes/a?b=c' }],
  ['no credentials', { path: '/notes/a', headers: {} }],
  ['a token', { path: '/notes/a', headers: { Authorization: 'Bearer a' } }],
  ['a page', { path: '/notes/a', headers: { ...BASIC, Origin: ORIGIN } }],
  ['a page on the same site', { path: '/notes/a', headers: { ...BASIC, 'Sec-Fetch-Site': 'same-origin' } }],
  ['a body over the limit', { path: '/notes/a', text: 'x'.repeat(11) }],
])('fetch alone answers %s', async (_, given) => {
  const { gateway } = gatewayOfNotes()
  expect(await direct(gateway, given)).toBeUndefined()
})

test('a route is found below the path at which the gateway is mounted', async () => {
  const { gateway } = gatewayOfNotes('/sync')
  expect(await direct(gateway, { path: '/notes/a' })).toBeUndefined()
  const answer = await direct(gateway, { path: '/sync/notes/a' })
  expect(answer?.body).toMatchObject({ path: '/notes/a', contentType: 'text/plain' })
})

test('a closed gateway refuses in both ways', async () => {
  const { gateway } = gatewayOfNotes()
  await gateway.close()
  const answer = await direct(gateway, { path: '/notes/a' })
  expect(answer).toEqual({ status: 503, body: { note: 20503 } })
  expect(answer).toEqual(await byFetch(gateway, { path: '/notes/a' }))
})
