import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { attachWebSockets, toNodeHandler } from '@rivulet/twilio'
import { describe, expect, onTestFinished, test } from 'vitest'
import { waitFor } from '../../../../test/support/wait-for.ts'
import { RawClient, requestText } from '../support/raw-client.ts'
import { sendRaw } from '../support/raw-http.ts'
import { servedGateway } from '../support/served-gateway.ts'
import { browserToken, pageHub, readyPage, servedPages } from '../support/served-pages.ts'

const token = () => browserToken()
const UPGRADE = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
}

/** Asks for a WebSocket, and gives the status of the answer. */
async function statusOf(port: number, headers: Record<string, string>, path = '/rivulet'): Promise<number> {
  const client = await RawClient.connect(port)
  client.read()
  await client.send(requestText(path, { ...UPGRADE, ...headers }))
  await waitFor(() => expect(client.received).toMatch(/^HTTP\/1\.1 \d{3} /), 5000)
  client.socket.destroy()
  return Number(client.received.slice('HTTP/1.1 '.length).slice(0, 3))
}

describe('a WebSocket at the path of pages', () => {
  const cases: [what: string, headers: Record<string, string>, status: number][] = [
    ['of a program', {}, 101],
    ['of a page of its own', { Host: 'sync.example', Origin: 'http://sync.example' }, 101],
    ['of a page of its own, over TLS', { Host: 'sync.example', Origin: 'https://sync.example' }, 101],
    ['of a page of its own, by the public URL', { Origin: 'https://public.example' }, 101],
    ['of a listed page', { Origin: 'https://app.example', 'Sec-Fetch-Site': 'cross-site' }, 101],
    ['of another site', { Origin: 'https://evil.example' }, 403],
    ['of a page without a name', { Origin: 'null' }, 403],
    ['of another port', { Host: 'sync.example', Origin: 'http://sync.example:81' }, 403],
    ['of a sibling', { Host: 'a.example', Origin: 'https://b.example', 'Sec-Fetch-Site': 'same-site' }, 403],
    ['with a host that is none', { Host: 'a b' }, 400],
    ['with a host that no URL has', { Host: 'a%' }, 400],
  ]
  test.each(cases)('%s is answered as it should be', async (_what, headers, status) => {
    const options = { corsOrigins: ['https://app.example'], publicUrl: 'https://public.example' }
    const { server, gateway } = await servedPages(options)
    const { Host = '127.0.0.1', ...others } = headers
    expect(await statusOf(server.port, { Host, ...others })).toBe(status)
    expect(gateway.counts.pages).toBe(0)
  })

  const open: [what: string, headers: Record<string, string>, status: number][] = [
    ['of a program on this machine', { Host: 'localhost' }, 101],
    ['of its own page', { Host: 'localhost:8080', Origin: 'http://localhost:8080' }, 101],
    ['at an allowed name', { Host: 'dev.local', Origin: 'http://dev.local' }, 101],
    ['of a name that points here', { Host: 'evil.example', Origin: 'http://evil.example' }, 403],
    ['of another site', { Host: 'localhost', Origin: 'https://evil.example' }, 403],
    ['of another port', { Host: 'localhost:8080', Origin: 'http://localhost:3000' }, 403],
    ['of a listed page', { Host: 'localhost', Origin: 'http://localhost:5173' }, 101],
    ['through a proxy', { Host: 'localhost', 'X-Forwarded-For': '203.0.113.5' }, 403],
  ]
  test.each(open)('without keys, %s, is answered as it should be', async (_what, headers, status) => {
    const options = { open: true, allowedHosts: ['dev.local'], corsOrigins: ['http://localhost:5173'] }
    const { server } = await servedPages(options)
    expect(await statusOf(server.port, headers)).toBe(status)
  })

  test('is refused in the form of the API; the transport tries again', async () => {
    const { url, server } = await servedPages()
    const answer = await sendRaw(
      server.port,
      requestText('/rivulet', { ...UPGRADE, Origin: 'https://evil.example' }),
    )
    expect(JSON.parse(answer?.body ?? '')).toMatchObject({ code: 20403, status: 403 })
    const page = pageHub(url, { token, origin: 'https://evil.example' })
    await new Promise((resolve) => page.once('error', resolve))
    expect(page.status).not.toBe('up')
  })

  test('is not there without a relay, nor at another path', async () => {
    const { server, gateway } = await servedPages({ relays: {} })
    expect(gateway.pagePath).toBeUndefined()
    expect(await statusOf(server.port, {})).toBe(404)
    const pages = await servedPages()
    for (const path of ['/', '/rivulet/', '//rivulet', '/Rivulet']) {
      expect(await statusOf(pages.server.port, {}, path)).toBe(404)
    }
  })

  test('is asked for: a request without it is answered 426', async () => {
    const { url } = await servedPages()
    const response = await fetch(`${url}/rivulet`)
    expect([response.status, response.headers.get('upgrade')]).toEqual([426, 'websocket'])
    expect((await response.json()) as object).toMatchObject({ code: 20001 })
  })

  test('is below the base path, and in a server of your own', async () => {
    const { gateway } = await servedPages({ basePath: '/sync' })
    const server = createServer(toNodeHandler(gateway))
    await attachWebSockets(server, gateway)
    await once(server.listen(0, '127.0.0.1'), 'listening')
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    const { port } = server.address() as AddressInfo
    const page = await readyPage(`http://127.0.0.1:${port}/sync`, { token })
    expect(await statusOf(port, { Origin: 'https://evil.example' }, '/sync/rivulet')).toBe(403)
    await page.close()
  })

  test('ends when the gateway is closed, and is refused from then on', async () => {
    const { url, gateway } = await servedPages()
    const page = await readyPage(url, { token })
    const server = await servedGateway(gateway)
    await gateway.close()
    await waitFor(() => expect(page.status).not.toBe('up'))
    expect(gateway.counts.pages).toBe(0)
    expect(await statusOf(server.port, {})).toBe(503)
  })
})
