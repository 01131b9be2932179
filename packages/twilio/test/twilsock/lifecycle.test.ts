import { createGateway, memoryRegistry, serve } from '@rivulet/twilio'
import { createHub } from 'rivulet'
import { describe, expect, onTestFinished, test } from 'vitest'
import { waitFor } from '../../../../test/support/wait-for.ts'
import { ApiClient } from '../../../gateway/test/support/api-client.ts'
import { SERVICE } from '../../../gateway/test/support/served-gateway.ts'
import {
  connected,
  Ears,
  established,
  event,
  KEYS,
  opened,
  servedSync,
  state,
} from '../support/sync-client.ts'

/** A gateway that can be started again at the same place. */
function restartable() {
  const hub = createHub()
  onTestFinished(async () => void (await hub.close()))
  return async (port = 0, registry = memoryRegistry()) => {
    const gateway = createGateway({ services: { [SERVICE]: hub }, keys: KEYS, registry })
    const server = await serve(gateway, { port })
    onTestFinished(() => server.close({ timeoutMs: 500 }))
    return { server, gateway, api: new ApiClient(server.url) }
  }
}

describe('connections of client SDKs', () => {
  test('come back after a cut, with their subscriptions', async () => {
    const start = restartable()
    const registry = memoryRegistry()
    const first = await start(0, registry)
    const client = await connected(first.server.url)
    const streams = [await opened(client, 'a'), await opened(client, 'b')]
    const isLost = state(client, 'connecting')
    const returns = streams.map((stream) => established(stream))
    await first.server.close()
    await isLost
    await expect(first.api.fetch('a')).rejects.toBeInstanceOf(Error)
    // The registry of the first gateway is closed, but holds what it held.
    const second = await start(first.server.port, registry)
    await Promise.all(returns)
    const ears = new Ears(streams[1] as (typeof streams)[0])
    await second.api.publish('b', { n: 1 })
    expect(await ears.count(1)).toEqual([{ value: { n: 1 }, isLocal: false }])
    expect(second.gateway.counts).toMatchObject({ connections: 1, subscriptions: 2 })
  })

  test('learn that a gateway came back without their streams, and create them anew', async () => {
    const start = restartable()
    const first = await start()
    const client = await connected(first.server.url)
    const stream = await opened(client, 'a')
    const isRemoved = event(stream, 'removed')
    await first.server.close()
    const second = await start(first.server.port)
    expect(await isRemoved).toMatchObject({ isLocal: false })
    const anew = await opened(client, 'a')
    expect(anew.sid).not.toBe(stream.sid)
    const ears = new Ears(anew)
    await second.api.publish('a', { n: 1 })
    expect(await ears.count(1)).toHaveLength(1)
  })

  test('are closed plainly when the gateway closes, and leave nothing behind', async () => {
    const { url, gateway, server } = await servedSync()
    const client = await connected(url)
    await opened(client, 'a')
    const errors: unknown[] = []
    client.on('connectionError', (error) => errors.push(error))
    const isLost = state(client, 'connecting')
    await server.close()
    await isLost
    expect(gateway.counts).toMatchObject({ connections: 0, subscriptions: 0 })
    expect(errors.filter((error) => (error as { terminal: boolean }).terminal)).toEqual([])
  })

  test('end with shutdown', async () => {
    const { url, gateway } = await servedSync()
    const client = await connected(url)
    await opened(client, 'a')
    expect(gateway.counts).toMatchObject({ connections: 1, subscriptions: 1 })
    await client.shutdown()
    await waitFor(() => expect(gateway.counts).toMatchObject({ connections: 0, subscriptions: 0 }))
  })

  test('come back when the hub of their streams is closed', async () => {
    const { url, hub } = await servedSync()
    const client = await connected(url)
    await opened(client, 'a')
    const isLost = state(client, 'connecting')
    await hub.close()
    await isLost
    await state(client, 'connected')
    await expect(client.stream({ id: 'a', mode: 'open_existing' })).resolves.toBeDefined()
  })
})
