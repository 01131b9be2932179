import { createGateway, type GatewayLog, serve } from '@rivulet/twilio'
import { createHub } from 'rivulet'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { waitFor } from '../../../../test/support/wait-for.ts'
import { ApiClient } from '../../../gateway/test/support/api-client.ts'
import { setOffline, useChromium } from '../../../gateway/test/support/chromium.ts'
import { SERVICE } from '../../../gateway/test/support/served-gateway.ts'
import type { PageSyncClient } from '../support/page-sync-client.ts'
import { connected, Ears, established, event, KEYS, opened, state, tokenOf } from '../support/sync-client.ts'

// Every client of this file is the SDK's browser bundle in a tab of its own.
vi.mock('twilio-sync', async () => {
  const { PageSyncClient } = await import('../support/page-sync-client.ts')
  const { openTab } = await import('../../../gateway/test/support/chromium.ts')
  class SyncClient extends PageSyncClient {
    constructor(token: string, options: object) {
      super(openTab(), token, options)
    }
  }
  return { SyncClient }
})
useChromium()

describe('in Chromium', async () => {
  // The tests that Node runs too.
  await import('./sdk.test.ts')
  await import('./refusals.test.ts')
  await import('./tokens.test.ts')
  await import('./lifecycle.test.ts')
})

async function start(port = 0) {
  const hub = createHub()
  const routes: string[] = []
  const debug: GatewayLog['debug'] = (fields) =>
    void ('method' in fields && routes.push(String(fields.method)))
  const log = { debug, info() {}, warn() {}, error() {} }
  const gateway = createGateway({ services: { [SERVICE]: hub }, keys: KEYS, log })
  const server = await serve(gateway, { port })
  onTestFinished(async () => {
    await server.close({ timeoutMs: 500 })
    await hub.close()
  })
  return { server, gateway, url: server.url, routes, api: new ApiClient(server.url) }
}

/** Reloads the tab of a client, and makes it anew. */
function reload(client: unknown, identity = 'alice'): Promise<void> {
  return (client as PageSyncClient).reload(tokenOf(identity))
}

describe('a tab in Chromium', () => {
  test('opens a stream from its session storage after a reload', async () => {
    const { url, api, routes } = await start()
    const fetches = () => routes.filter((route) => route === 'GET Stream').length
    const client = await connected(url)
    const { sid } = await opened(client, 'positions')
    const asked = fetches()
    await reload(client)
    const stream = await opened(client, 'positions')
    expect(stream.sid).toBe(sid)
    expect(fetches()).toBe(asked)
    const ears = new Ears(stream)
    await api.publish('positions', { n: 1 })
    expect(await ears.count(1)).toEqual([{ value: { n: 1 }, isLocal: false }])
    // Another user of the tab does not get what the first one has stored.
    await reload(client, 'bob')
    await opened(client, 'positions')
    expect(fetches()).toBe(asked + 1)
  })

  test('forgets its session storage when a gateway comes back without its streams', async () => {
    const first = await start()
    const client = await connected(first.url)
    const stream = await opened(client, 'positions')
    await first.server.close()
    // Before the page can hear that its stream is gone, which would have it forget the stream by itself.
    await reload(client)
    const second = await start(first.server.port)
    const anew = await opened(client, 'positions')
    expect(anew.sid).not.toBe(stream.sid)
    const ears = new Ears(anew)
    await anew.publishMessage({ n: 1 })
    expect(await ears.count(1)).toEqual([{ value: { n: 1 }, isLocal: true }])
    expect(second.routes.filter((route) => route === 'POST Messages')).toHaveLength(1)
    expect(second.routes.length).toBeLessThan(12)

    // Without a reload too: the next stream() of the name creates it.
    const isRemovedAgain = event(anew, 'removed')
    await second.server.close()
    const third = await start(first.server.port)
    await isRemovedAgain
    const again = await opened(client, 'positions')
    expect(again.sid).not.toBe(anew.sid)
    await again.publishMessage({ n: 2 })
    expect(third.routes.length).toBeLessThan(12)
  })

  test('comes back with its subscriptions when its network comes back', async () => {
    const { url, gateway, api } = await start()
    const client = await connected(url)
    const stream = await opened(client, 'positions')
    const isLost = event(client, 'connectionStateChanged')
    await setOffline(true)
    await isLost
    await waitFor(() => expect(gateway.counts).toMatchObject({ connections: 0, subscriptions: 0 }))
    const returns = established(stream)
    await setOffline(false)
    await state(client, 'connected')
    await returns
    const ears = new Ears(stream)
    await api.publish('positions', { n: 1 })
    expect(await ears.count(1)).toEqual([{ value: { n: 1 }, isLocal: false }])
    expect(gateway.counts).toMatchObject({ connections: 1, subscriptions: 1 })
  })
})
