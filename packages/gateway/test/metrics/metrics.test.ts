import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { type Gateway, type MetricsServer, serveMetrics } from '@rivulet/twilio'
import { expect, onTestFinished, test, vi } from 'vitest'
import { waitFor } from '../../../../test/support/wait-for.ts'
import { ApiClient, BASIC } from '../support/api-client.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { ACCOUNT, SERVICE, served, TOKEN } from '../support/served-gateway.ts'
import { readyPage, servedPages } from '../support/served-pages.ts'
import { listenAt } from '../support/sse-client.ts'
import { fileWith } from '../support/temporary-file.ts'

async function metricsOf(gateway: Gateway): Promise<MetricsServer> {
  const metrics = await serveMetrics(gateway, { port: 0 })
  onTestFinished(() => metrics.close())
  return metrics
}

/** The samples of a scrape, by name and labels as they are written. */
async function scrape(url: string): Promise<Record<string, number>> {
  const text = await (await fetch(url)).text()
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return Object.fromEntries(
    lines.map((line) => [line.replace(/ \S+$/, ''), Number(/ (\S+)$/.exec(line)?.[1])]),
  )
}

test('metrics have the ledgers of hubs and the counts of the gateway, no stream names', async () => {
  const { url, gateway } = await served()
  const metrics = await metricsOf(gateway)
  const api = new ApiClient(url)
  await api.create({ UniqueName: 'secret-plans' })
  const client = await listenAt(api.messagesOf('secret-plans'), BASIC)
  await api.publish('secret-plans', { n: 1 })
  await api.publish('secret-plans', [])
  await client.count(1)

  const samples = await scrape(metrics.url)
  expect(samples).toMatchObject({
    'rivulet_published_total{hub="default",outcome="local"}': 1,
    'rivulet_hub_up{hub="default"}': 1,
    rivulet_gateway_listeners: 1,
    rivulet_gateway_sent_total: gateway.counts.sent,
    rivulet_gateway_pages: 0,
  })
  expect(Object.keys(samples).join()).not.toContain('secret-plans')
  await api.publish('secret-plans', { n: 2 })
  await client.count(2)
  expect(await scrape(metrics.url)).toMatchObject({
    'rivulet_published_total{hub="default",outcome="local"}': 2,
    rivulet_gateway_sent_total: (samples.rivulet_gateway_sent_total as number) + 1,
  })
})

test('metrics count pages and what they send', async () => {
  const { url, gateway, hub } = await servedPages({ keys: undefined, open: true })
  const metrics = await metricsOf(gateway)
  const page = await readyPage(url)
  await page.stream('positions').subscribe(() => {}).ready
  page.stream('positions').publish({ n: 1 })
  await page.flush()
  const samples = await scrape(metrics.url)
  expect(samples).toMatchObject({
    rivulet_gateway_pages: 1,
    rivulet_gateway_joins: 1,
    rivulet_gateway_received_total: 1,
    rivulet_gateway_refused_total: 0,
  })
  expect(samples[`rivulet_hub_up{hub="${hub.name}"}`]).toBe(1)
  await page.close()
})

test('the server of metrics has that path only, for reading only, and is closed once', async () => {
  const { gateway } = await served()
  const { url, close } = await metricsOf(gateway)
  const answer = await fetch(url)
  expect([answer.status, answer.headers.get('content-type')]).toEqual([
    200,
    'text/plain; version=0.0.4; charset=utf-8',
  ])
  expect((await fetch(`${url}?x=1`)).status).toBe(200)
  expect((await fetch(url, { method: 'HEAD' })).status).toBe(200)
  expect((await fetch(url, { method: 'POST', body: 'x' })).status).toBe(405)
  expect((await fetch(url.replace('/metrics', '/'))).status).toBe(404)
  expect((await fetch(url.replace('/metrics', '/v1/Services'), { headers: BASIC })).status).toBe(404)
  await Promise.all([close(), close()])
  await expect(fetch(url)).rejects.toBeInstanceOf(Error)
})

test('idle connections lock no client out: the oldest are ended', async () => {
  const { gateway } = await served()
  const { url, port } = await metricsOf(gateway)
  const closed: number[] = []
  const idle = Array.from({ length: 60 }, (_, index) => {
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    socket.resume().once('close', () => closed.push(index))
    onTestFinished(() => void socket.destroy())
    return socket
  })
  await Promise.all(idle.map((socket) => once(socket, 'connect')))
  const answer = await fetch(url)
  expect([answer.status, answer.headers.get('connection')]).toEqual([200, 'close'])
  await answer.text()
  // The 60 and the scrape are eleven more than there may be.
  await waitFor(() => expect(closed).toHaveLength(11), { timeout: 30_000 })
})

test('metrics are not served where the API is', async () => {
  const { url, gateway } = await served()
  await metricsOf(gateway)
  expect((await fetch(`${url}/metrics`, { headers: BASIC })).status).toBe(404)
})

test('a package that is missing is named', async () => {
  const { gateway } = await served()
  // What a factory throws is wrapped, and loses the code that Node's error has.
  vi.doMock('prom-client', () => ({
    get Counter() {
      throw Object.assign(new Error('not there'), { code: 'ERR_MODULE_NOT_FOUND' })
    },
  }))
  onTestFinished(() => void vi.doUnmock('prom-client'))
  await expect(serveMetrics(gateway, { port: 0 })).rejects.toMatchObject({
    code: 'INVALID_OPTIONS',
    message: expect.stringContaining('npm install @rivulet/otel prom-client'),
  })
})

test('the command serves metrics on a port of their own, by an option or the file', async () => {
  const config = fileWith('config.json', JSON.stringify({ port: 0, metricsPort: 0, open: true }))
  const ways = [
    new GatewayProcess(['--port', '0', '--metrics-port', '0', '--service', SERVICE], {
      RIVULET_GATEWAY_KEYS: `${ACCOUNT}:${TOKEN}`,
    }),
    new GatewayProcess(['--config', config]),
  ]
  for (const running of ways) {
    await running.url()
    const { url } = running.lines.find(({ msg }) => msg === 'serving metrics') as { url: string }
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/metrics$/)
    expect(await scrape(url)).toMatchObject({ rivulet_gateway_listeners: 0 })
    expect(await running.kill('SIGTERM')).toBe(0)
    await expect(fetch(url)).rejects.toBeInstanceOf(Error)
  }
})

test('the command serves metrics only by option, and ends when their port is taken', async () => {
  const silent = new GatewayProcess(['--port', '0', '--open'])
  await silent.url()
  expect(silent.lines.map(({ msg }) => msg)).not.toContain('serving metrics')

  const other = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void other.close())
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const refused = new GatewayProcess(['--port', '0', '--open', '--metrics-port', `${port}`])
  expect(await refused.ended()).toBe(1)
  expect(refused.output).toContain('The port is taken; choose another one with --port or --metrics-port.')
})

test('a scrape that fails is answered, and the next one is served', async () => {
  const { gateway } = await served()
  let isBroken = true
  const broken = {
    hubs: gateway.hubs,
    get counts() {
      if (isBroken) throw new Error('mine')
      return gateway.counts
    },
  } as Gateway
  const metrics = await metricsOf(broken)
  expect((await fetch(metrics.url)).status).toBe(500)
  isBroken = false
  expect((await fetch(metrics.url)).status).toBe(200)
})
