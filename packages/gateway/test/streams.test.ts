import { memoryBus } from '@rivulet/memory'
import { createHub } from 'rivulet'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createGateway, memoryRegistry } from '../src/index.ts'
import { ApiClient, BASIC } from './support/api-client.ts'
import { ACCOUNT_KEY, SERVICE, servedGateway } from './support/served-gateway.ts'
import { listenAt } from './support/sse-client.ts'

/** Two gateways that share a registry, which tells them at once, and a bus, on which messages take their time. */
async function two(delayMs: number) {
  const bus = memoryBus({ delayMs: [delayMs, delayMs] })
  const registry = memoryRegistry()
  const open = async () => {
    const hub = createHub({ transport: bus.transport() })
    onTestFinished(() => hub.close().then(() => {}))
    const gateway = createGateway({ services: { [SERVICE]: hub }, keys: [ACCOUNT_KEY], registry })
    return { bus, api: new ApiClient((await servedGateway(gateway)).url) }
  }
  return { bus, here: (await open()).api, there: (await open()).api }
}

describe('a removal at another gateway', () => {
  test('comes after the messages that were published before it', async () => {
    const { here, there } = await two(50)
    await here.create({ UniqueName: 'a' })
    const client = await listenAt(there.messagesOf('a'), BASIC)
    for (const n of [1, 2, 3]) await here.publish('a', { n })
    await here.remove('a')
    expect((await there.fetch('a')).status).toBe(404)
    await client.ended
    const told = client.events.map(({ event, data }) => [event, data])
    expect(told).toEqual([
      ...[1, 2, 3].map((n) => ['messagePublished', { n }]),
      ['removed', { reason: 'removed' }],
    ])
  })

  test('ends listeners even when the hub never hears of it', async () => {
    const { bus, here, there } = await two(0)
    await here.create({ UniqueName: 'a' })
    const client = await listenAt(there.messagesOf('a'), BASIC)
    bus.freeze()
    await here.remove('a')
    await client.ended
    expect(client.events).toMatchObject([{ event: 'removed', data: { reason: 'removed' } }])
  })

  test('ends listeners before the next stream of that name is listened to', async () => {
    const { here, there } = await two(100)
    await here.create({ UniqueName: 'a' })
    const client = await listenAt(there.messagesOf('a'), BASIC)
    await here.publish('a', { n: 1 })
    await here.remove('a')
    await here.create({ UniqueName: 'a' })
    const next = await listenAt(there.messagesOf('a'), BASIC)
    await client.ended
    expect(client.events.at(-1)).toMatchObject({ event: 'removed' })
    await there.publish('a', { n: 2 })
    await next.count(1)
    expect(next.events).toMatchObject([{ data: { n: 2 } }])
  })
})
