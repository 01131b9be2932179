import { describe, expect, test, vi } from 'vitest'
import {
  accessToken,
  connected,
  Ears,
  event,
  opened,
  servedSync,
  shortToken,
  state,
  syncClient,
} from '../support/sync-client.ts'

const OTHER_SERVICE = `IS${'4'.repeat(32)}`

async function bad() {
  return shortToken('alice', 1000, 'another-secret-of-the-api-key-of-32-characters')
}

describe('a client SDK', () => {
  test('is turned away with a bad token, until it has a right one', async () => {
    const { url, gateway } = await servedSync()
    const client = syncClient(url, await bad())
    expect(await event(client, 'connectionError')).toMatchObject({
      ...{ terminal: true, httpStatusCode: 401, errorCode: 20101 },
      message: 'Connection error: Invalid Access Token',
    })
    await state(client, 'denied')
    await expect(client.stream('a')).rejects.toThrow('Invalid Access Token')
    await vi.waitFor(() => expect(gateway.counts.connections).toBe(0))
    await client.updateToken(accessToken('alice'))
    await state(client, 'connected')
    await opened(client, 'a')
  })

  test('is turned away with tokens for a service that is not there', async () => {
    const { url } = await servedSync()
    for (const token of [accessToken('alice', OTHER_SERVICE), 'no token', 'a.b.c', 'x'.repeat(10_000)]) {
      const client = syncClient(url, token)
      expect(await event(client, 'connectionError')).toMatchObject({ terminal: true, errorCode: 20101 })
    }
  })

  test('is told that its token has expired, and goes on with another one', async () => {
    const { url } = await servedSync()
    const client = syncClient(url, await shortToken('alice', -1000))
    const isExpired = event(client, 'tokenExpired')
    expect(await event(client, 'connectionError')).toMatchObject({ terminal: true, errorCode: 20104 })
    await isExpired
    await client.updateToken(accessToken('alice'))
    await state(client, 'connected')
  })

  test('is told at once that a short token is about to expire, and renews it without an interruption', async () => {
    const { url, gateway, hub } = await servedSync()
    const token = await shortToken('alice', 100_000)
    const client = syncClient(url, token)
    const isAbout = event(client, 'tokenAboutToExpire')
    const stream = await opened(client, 'a')
    await isAbout
    const states: string[] = []
    client.on('connectionStateChanged', (value) => states.push(value))
    const ears = new Ears(stream)
    await client.updateToken(accessToken('alice'))
    hub.stream('a').publish({ n: 1 })
    await ears.count(1)
    expect(states).toEqual([])
    expect(gateway.counts).toMatchObject({ connections: 1, subscriptions: 1 })
  })

  test('loses its connection when its token ends, and comes back when it renews it in the handler', async () => {
    const { url, hub } = await servedSync()
    const client = syncClient(url, await shortToken('alice', 1500))
    const stream = await opened(client, 'a')
    client.on('tokenExpired', () => void client.updateToken(accessToken('alice')))
    await event(client, 'tokenExpired')
    await state(client, 'connected')
    const ears = new Ears(stream)
    while ((await event(stream, '_subscriptionStateChanged')) !== 'established');
    hub.stream('a').publish({ n: 1 })
    expect(await ears.count(1)).toHaveLength(1)
  })

  test('cannot become somebody else, or use a bad token', async () => {
    const { url } = await servedSync()
    for (const token of [accessToken('bob'), await bad()]) {
      const client = await connected(url)
      await expect(client.updateToken(token)).rejects.toMatchObject({ status: 400, code: 51130 })
      await state(client, 'denied')
      await client.updateToken(accessToken('alice'))
      await state(client, 'connected')
    }
  })
})
