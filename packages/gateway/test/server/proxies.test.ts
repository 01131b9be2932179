import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { memoryBus } from '@rivulet/memory'
import { createGateway, type Gateway, type GatewayServer, memoryRegistry, relay } from '@rivulet/twilio'
import { expect, onTestFinished, test } from 'vitest'
import { type Broker, startBroker } from '../../../../test/support/brokers.ts'
import { Authority, type Certificate } from '../../../../test/support/certificates.ts'
import { blocksOf } from '../../../../test/support/documentation.ts'
import { ending, makeLive } from '../../../../test/support/live.ts'
import { waitFor } from '../../../../test/support/wait-for.ts'
import { SIGNER } from '../support/access-token.ts'
import { BASIC } from '../support/api-client.ts'
import { ACCOUNT_KEY, SERVICE, servedGateway } from '../support/served-gateway.ts'
import { browserToken, readyPage } from '../support/served-pages.ts'

const README = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')

interface Upstream {
  readonly gateway: Gateway
  readonly server: GatewayServer
}

/** Two gateways of one service, as on two machines. */
async function twoGateways(): Promise<[one: Upstream, two: Upstream]> {
  const bus = memoryBus()
  const registry = memoryRegistry()
  const start = async (): Promise<Upstream> => {
    const carried = relay(bus.transport())
    const hub = makeLive({ transport: carried })
    await hub.ready()
    const parts = { services: { [SERVICE]: hub }, relays: { [SERVICE]: carried } }
    const gateway = createGateway({ ...parts, registry, keys: [ACCOUNT_KEY, SIGNER] })
    return { gateway, server: await servedGateway(gateway) }
  }
  return [await start(), await start()]
}

/** A proxy that runs with the file of the manual, where only addresses and paths are other ones. */
interface Proxy {
  readonly name: string
  start(ports: readonly number[], certificate: Certificate): Promise<Broker>
  /** Reads its log of requests. */
  logOf(broker: Broker): string
}

const HAPROXY: Proxy = {
  name: 'HAProxy',
  start: (ports, { cert, key }) =>
    startBroker('haproxy', { files: { 'both.pem': `${cert}${key}` } }, [], {
      scheme: 'https',
      readyLine: /Loading success/,
      args: (file) => ['-W', '-db', '-f', file],
      render: (port, _ports, folder) =>
        withPorts(manualOf('haproxy'), ports)
          .replace('bind :443', `bind 127.0.0.1:${port}`)
          .replace('/etc/ssl/sync.example.pem', join(folder, 'both.pem')),
    }),
  logOf: (broker) => broker.log(),
}

const NGINX: Proxy = {
  name: 'Nginx',
  start: (ports, { certFile, keyFile }) =>
    startBroker('nginx', {}, [], {
      scheme: 'https',
      readyLine: /OS: /,
      args: (file) => ['-p', join(file, '..'), '-c', file, '-g', NGINX_FLAGS],
      render: (port, _ports, folder) =>
        withPorts(manualOf('nginx'), ports)
          .replace('listen 443', `listen 127.0.0.1:${port}`)
          .replace('/etc/ssl/sync.example.pem', certFile)
          .replace('/etc/ssl/sync.example.key', keyFile)
          .replace('/var/log/nginx/access.log', join(folder, 'access.log'))
          // Where only root may write.
          .replace('http {', `http {\n${TEMPORARY.map((kind) => `${kind}_temp_path ${kind};`).join('\n')}`),
    }),
  logOf: ({ folder }) => readFileSync(join(folder, 'access.log'), 'utf8'),
}
const NGINX_FLAGS = 'daemon off; master_process off; error_log stderr notice; pid nginx.pid;'
const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']

function manualOf(language: string): string {
  const blocks = blocksOf(README).filter((block) => block.language === language)
  expect(blocks).toHaveLength(1)
  return blocks[0]?.text ?? ''
}

function withPorts(file: string, [one, two]: readonly number[]): string {
  return file.replace('10.0.0.11:8080', `127.0.0.1:${one}`).replace('10.0.0.12:8080', `127.0.0.1:${two}`)
}

interface Asked {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** Sends a request, and resolves when the answer begins. */
async function ask(url: string, ca: string, { method = 'GET', headers = BASIC, body = '' }: Asked = {}) {
  const type = { 'content-type': 'application/x-www-form-urlencoded' }
  const sent = request(url, { ca, method, agent: false, headers: { ...type, ...headers } })
  sent.end(body)
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  onTestFinished(() => void answer.destroy())
  return answer
}

const portOf = ({ server }: Upstream) => Number(new URL(server.url).port)

test.each([HAPROXY, NGINX])(
  'the file for $name serves requests, listeners and pages, also of one gateway',
  async (proxy) => {
    const authority = new Authority()
    onTestFinished(() => authority.close())
    const gateways = await twoGateways()
    const [one, two] = gateways
    const broker = await ending(proxy.start(gateways.map(portOf), authority.issue()))
    const { ca } = authority
    const streams = `${broker.url}/v1/Services/${SERVICE}/Streams`
    const create = async () => {
      const answer = await ask(streams, ca, { method: 'POST', body: 'UniqueName=orders%2F2026' })
      return { status: answer.statusCode, text: await text(answer) }
    }
    // HAProxy asks each gateway whether it is ready before it sends it anything.
    const created = await waitFor(async () => {
      const answer = await create()
      expect(answer.status).not.toBe(503)
      return answer
    })
    expect(created).toMatchObject({ status: 201 })
    expect(JSON.parse(created.text).url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/v1\//)
    expect((await ask(`${streams}/orders%2F2026`, ca)).statusCode).toBe(200)

    const token = await browserToken()
    const messages = `${streams}/orders%2F2026/Messages`
    const listening = await ask(`${messages}?token=${token}`, ca, {
      headers: { accept: 'text/event-stream' },
    })
    expect(listening.statusCode).toBe(200)
    const page = await readyPage(broker.url, { ca, token: () => token })
    const heard: unknown[] = []
    await page.stream('orders/2026').subscribe(({ data }) => heard.push(data)).ready
    const published = await ask(messages, ca, { method: 'POST', body: 'Data=%7B%22n%22%3A1%7D' })
    expect(published.statusCode).toBe(201)
    // At once, though the answer goes on.
    let events = ''
    for await (const chunk of listening) {
      events += chunk
      if (events.includes('{"n":1}')) break
    }
    await waitFor(() => expect(heard).toEqual([{ n: 1 }]))
    await page.close()

    await two.server.close({ timeoutMs: 100 })
    if (proxy === HAPROXY) await waitFor(() => expect(broker.log()).toMatch(/gateways\/two is DOWN/))
    const statuses = await Promise.all(
      Array.from({ length: 20 }, async () => (await ask(`${streams}/orders%2F2026`, ca)).statusCode),
    )
    expect(new Set(statuses)).toEqual(new Set([200]))
    if (proxy === HAPROXY) {
      one.gateway.drain()
      await waitFor(async () => expect((await ask(streams, ca)).statusCode).toBe(503))
    }
    await waitFor(() => expect(proxy.logOf(broker)).toContain('/v1/Services/'))
    expect(proxy.logOf(broker)).not.toContain(token)
  },
)
