import { Kvm } from '@nats-io/kv'
import { connect } from '@nats-io/transport-node'
import { expect, onTestFinished, test } from 'vitest'
import { haveLeader, startNats, startNatsCluster } from '../../../../test/support/brokers.ts'
import { startProxy } from '../../../../test/support/fault-proxy.ts'
import { waitFor } from '../../../../test/support/wait-for.ts'
import { ApiClient } from '../support/api-client.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { ACCOUNT, SERVICE, TOKEN } from '../support/served-gateway.ts'

const KEYS = { RIVULET_GATEWAY_KEYS: `${ACCOUNT}:${TOKEN}` }
const ARGS = ['--port', '0', '--service', SERVICE]

/** A server that can't be reached until the proxy lets it. */
async function awayAtFirst() {
  const broker = await startNats({ jetstream: true })
  onTestFinished(() => broker.close())
  const proxy = await startProxy({ url: broker.url })
  onTestFinished(() => proxy.close())
  proxy.mode = 'refuse'
  return proxy
}

test.each([
  ['broker', '--transport'],
  ['registry', '--registry'],
])('a gateway that starts waits for its %s, and says so', async (what, option) => {
  const proxy = await awayAtFirst()
  const running = new GatewayProcess([...ARGS, option, proxy.url], KEYS)
  const isNoted = () => expect(running.lines.map(({ msg }) => msg)).toContain(`waiting for the ${what}`)
  await waitFor(isNoted, 30_000)
  proxy.mode = 'pass'
  const health = await fetch(`${await running.url()}/healthz`)
  expect([health.status, await health.json()]).toMatchObject([200, { registry: 'up' }])
})

test('a bucket on three servers outlives one of them, for running and new gateways', async () => {
  const cluster = await startNatsCluster(3, { jetstream: true })
  onTestFinished(async () => void (await Promise.all(cluster.map((broker) => broker.close()))))
  const registry = ['--registry', 'nats', '--registry-bucket', 'of-tests', '--registry-replicas', '3']
  const servers = cluster.flatMap(({ url }) => ['--transport', url])
  const running = new GatewayProcess([...ARGS, ...servers, ...registry], KEYS)
  const api = new ApiClient(await running.url())
  expect((await api.create({ UniqueName: 'a' })).status).toBe(201)

  const connection = await connect({ servers: cluster.map(({ url }) => url) })
  const { streamInfo } = await (await new Kvm(connection).open('of-tests')).status()
  await connection.close()
  expect(streamInfo.config.num_replicas).toBe(3)
  const leader = cluster.find(({ url }) => streamInfo.cluster?.leader === `rivulet-${new URL(url).port}`)
  await leader?.kill()
  await haveLeader(cluster.filter((broker) => broker !== leader))

  await waitFor(async () => expect((await api.create({ UniqueName: 'b' })).status).toBe(201), 60_000)
  const later = new ApiClient(await new GatewayProcess([...ARGS, ...servers, ...registry], KEYS).url())
  expect((await later.fetch('a')).status).toBe(200)
  expect((await later.publish('b', {})).status).toBe(201)
})

test('SIGTERM drains first, and a second one ends at once', async () => {
  const running = new GatewayProcess([...ARGS, '--drain-seconds', '3600'], KEYS)
  const url = await running.url()
  running.child.kill('SIGTERM')
  await waitFor(() => expect(running.lines.at(-1)).toMatchObject({ seconds: 3600, msg: 'draining' }))
  expect((await fetch(`${url}/readyz`)).status).toBe(503)
  expect((await fetch(`${url}/livez`)).status).toBe(200)
  expect((await new ApiClient(url).create({ UniqueName: 'a' })).status).toBe(201)
  expect(await running.kill('SIGTERM')).toBe(130)
})

test('after the drain the gateway ends by itself', async () => {
  const running = new GatewayProcess([...ARGS, '--drain-seconds', '1'], KEYS)
  await running.url()
  expect(await running.kill('SIGTERM')).toBe(0)
  expect(running.lines.map(({ msg }) => msg)).toEqual(
    expect.arrayContaining(['draining', 'closing', 'closed']),
  )
})
