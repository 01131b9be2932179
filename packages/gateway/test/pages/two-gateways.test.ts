import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Broker, startNats } from '../../../../test/support/brokers.ts'
import { eventually, openLive } from '../../../../test/support/live.ts'
import { SIGNER } from '../support/access-token.ts'
import { ApiClient } from '../support/api-client.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { ACCOUNT, SERVICE, TOKEN } from '../support/served-gateway.ts'
import { browserToken, readyPage } from '../support/served-pages.ts'

let broker: Broker
beforeAll(async () => {
  broker = await startNats({ jetstream: true })
})
afterAll(() => broker.close())

async function startGateway(...args: string[]): Promise<string> {
  const gateway = new GatewayProcess(
    ['--port', '0', '--service', SERVICE, '--registry', 'nats', '--name', 'fleet', ...args],
    {
      RIVULET_GATEWAY_KEYS: `${ACCOUNT}:${TOKEN} ${SIGNER.sid}:${SIGNER.secret}`,
      RIVULET_GATEWAY_TRANSPORT: broker.url,
    },
  )
  return gateway.url()
}

/** Stands before two gateways, and passes connections on to one of them. */
async function balancer(urls: readonly string[]) {
  const sockets = new Set<Socket>()
  let current = 0
  const server = createServer((client) => {
    const target = connect(Number(new URL(urls[current] as string).port), '127.0.0.1')
    for (const [socket, other] of [
      [client, target],
      [target, client],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => other.destroy())
      socket.pipe(other)
    }
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  onTestFinished(() => {
    cut()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    moveOn: () => {
      current = (current + 1) % urls.length
      cut()
    },
  }
}

describe('pages at two gateways on one NATS server', () => {
  test('hear each other, a service on the broker, and REST at either', async () => {
    const urls = [await startGateway(), await startGateway()] as const
    const service = await openLive({ transport: broker.url, name: 'fleet' })
    const token = () => browserToken()
    const [here, there] = [
      await readyPage(urls[0], { token, name: 'fleet' }),
      await readyPage(urls[1], { token, name: 'fleet' }),
    ]
    const heard: Record<string, unknown[]> = { here: [], there: [], service: [] }
    const hubs = { here, there, service }
    for (const [name, hub] of Object.entries(hubs)) {
      const take = ({ data, isLocal }: { data: unknown; isLocal: boolean }) =>
        heard[name]?.push({ data, isLocal })
      await hub.stream('a').subscribe(take).ready
    }
    for (const [from, hub] of Object.entries(hubs)) hub.stream('a').publish({ from })
    const api = new ApiClient(urls[1])
    await api.create({ UniqueName: 'a' })
    await api.publish('a', { from: 'REST' })
    const publishers = ['here', 'there', 'service', 'REST']
    for (const name of Object.keys(hubs)) {
      await eventually(() => heard[name]).toHaveLength(4)
      const expected = publishers.map((from) => ({ data: { from }, isLocal: from === name }))
      expect(heard[name]).toEqual(expect.arrayContaining(expected))
    }
    for (const hub of Object.values(hubs)) await hub.flush()
    for (const hub of Object.values(hubs)) {
      expect(hub.ledger()).toMatchObject({ confirmed: 1, received: 3, delivered: 3, missed: 0 })
    }
  })

  test.each([
    ['that name their user', () => browserToken({ sub: 'alice' })],
    ['that name nobody', () => browserToken()],
  ])('stay the same publishers when they move to the other, with tokens %s', async (_what, token) => {
    const { url, moveOn } = await balancer([await startGateway(), await startGateway()])
    const service = await openLive({ transport: broker.url, name: 'fleet' })
    const heard: unknown[] = []
    await service.stream('moving').subscribe(({ data }) => heard.push(data)).ready
    const page = await readyPage(url, { token, name: 'fleet' })
    const errors: unknown[] = []
    page.on('error', ({ code }) => errors.push(code))
    // So that either gateway hears the page’s sids from the other one.
    const listeners = [await readyPage(url, { token: () => browserToken(), name: 'fleet' })]
    await page.stream('moving').subscribe(() => {}).ready
    for (const listener of listeners) await listener.stream('moving').subscribe(() => {}).ready
    for (let n = 1; n <= 4; n++) {
      await eventually(() => page.status).toBe('up')
      page.stream('moving').publish({ n })
      await eventually(() => heard.length).toBe(n)
      await page.flush()
      const isDown = new Promise((resolve) => page.once('status', resolve))
      moveOn()
      await isDown
    }
    expect(heard).toEqual([1, 2, 3, 4].map((n) => ({ n })))
    expect(errors.filter((code) => code !== 'TRANSPORT_UNAVAILABLE')).toEqual([])
    expect(page.ledger()).toMatchObject({ accepted: 4, confirmed: 4 })
  })
})

test('the command lets no pages in when it is told not to', async () => {
  const url = await startGateway('--no-pages')
  expect((await fetch(`${url}/rivulet`)).status).toBe(404)
  expect(await (await fetch(`${url}/healthz`)).json()).toEqual({ status: 'up', registry: 'up' })
})
