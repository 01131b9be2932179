import { memoryBus } from '@rivulet/memory'
import { createGateway, memoryRegistry } from '@rivulet/twilio'
import { createHub } from 'rivulet'
import { describe, expect, onTestFinished, test } from 'vitest'
import { ApiClient, BASIC } from '../../gateway/test/support/api-client.ts'
import { ACCOUNT_KEY, SERVICE, servedGateway } from '../../gateway/test/support/served-gateway.ts'
import { listenAt } from '../../gateway/test/support/sse-client.ts'

/** Two gateways that share a registry, which tells them at once, and a bus, on which messages take their time or get lost. */
async function two(delayMs: number, loss = 0) {
  const bus = memoryBus({ delayMs: [delayMs, delayMs], loss })
  const registry = memoryRegistry()
  const open = async () => {
    const hub = createHub({ transport: bus.transport() })
    onTestFinished(() => hub.close().then(() => {}))
    const gateway = createGateway({ services: { [SERVICE]: hub }, keys: [ACCOUNT_KEY], registry })
    return { hub, api: new ApiClient((await servedGateway(gateway)).url) }
  }
  const [here, there] = [await open(), await open()]
  return { bus, here: here.api, there: there.api, hubs: { here: here.hub, there: there.hub } }
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

  test('ends listeners even when the hub never learns it', async () => {
    const { bus, here, there } = await two(0)
    await here.create({ UniqueName: 'a' })
    const client = await listenAt(there.messagesOf('a'), BASIC)
    bus.freeze()
    await here.remove('a')
    await client.ended
    expect(client.events).toMatchObject([{ event: 'removed', data: { reason: 'removed' } }])
  })

  test('ends listeners before the next stream of that name is listened to', async () => {
    // Nothing is on its way: it would reach the next stream, which has the same topic.
    const { here, there, hubs } = await two(0, 1)
    await here.create({ UniqueName: 'a' })
    const client = await listenAt(there.messagesOf('a'), BASIC)
    const stream = hubs.there.stream('a')
    await here.remove('a')
    await here.create({ UniqueName: 'a' })
    const next = await listenAt(there.messagesOf('a'), BASIC)
    expect(stream.closed).toBe(true)
    await client.ended
    expect(client.events).toMatchObject([{ event: 'removed' }])
    await there.publish('a', { n: 2 })
    await next.count(1)
    expect(next.events).toMatchObject([{ data: { n: 2 } }])
  })
})

describe("a stream of the service's own code", () => {
  test('stays where it is subscribed to, when its time to live at the gateway ends', async () => {
    const { here, hubs } = await two(0)
    await here.create({ UniqueName: 'a', Ttl: '1' })
    const heard: unknown[] = []
    hubs.here.stream('a').subscribe(({ data }) => heard.push(data))
    const client = await listenAt(here.messagesOf('a'), BASIC)
    await here.publish('a', { n: 1 })
    await client.ended
    expect(client.events.at(-1)).toMatchObject({ event: 'removed', data: { reason: 'expired' } })
    hubs.here.stream('a').publish({ n: 2 })
    expect(heard).toEqual([{ n: 1 }, { n: 2 }])
  })

  test('is not kept without a subscriber', async () => {
    const { bus, here, hubs } = await two(0)
    await here.create({ UniqueName: 'a', Ttl: '1' })
    // The answer is not waited for: the join never comes.
    bus.freeze()
    const client = await listenAt(here.messagesOf('a'), BASIC)
    await client.ended
    expect([...hubs.here.streams()]).toEqual([])
  })

  test('learns a removal at another gateway from the hub, not from the registry', async () => {
    const { bus, here, there, hubs } = await two(0)
    await here.create({ UniqueName: 'a' })
    const stream = hubs.there.stream('a')
    const removed = new Promise((resolve) => stream.on('removed', resolve))
    await stream.subscribe(() => {}).ready
    await there.publish('a', { n: 1 })
    bus.freeze()
    await here.remove('a')
    expect(stream.closed).toBe(false)
    bus.thaw()
    expect(await removed).toEqual({ reason: 'removed', isLocal: false })
  })
})
