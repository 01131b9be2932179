import { RivuletError } from 'rivulet'
import { describe, expect, test } from 'vitest'
import { waitFor } from '../../../../test/support/wait-for.ts'
import { SIGNER } from '../../../gateway/test/support/access-token.ts'
import { ACCOUNT_KEY } from '../../../gateway/test/support/served-gateway.ts'
import { SlowRegistry } from '../support/slow-registry.ts'
import { connected, Ears, established, event, opened, servedSync } from '../support/sync-client.ts'

async function one(options: Parameters<typeof servedSync>[0] = {}) {
  const { url, hub, gateway } = await servedSync(options)
  return { hub, gateway, client: await connected(url) }
}

const existing = (id: string) => ({ id, mode: 'open_existing' as const })

describe('the official client SDK is refused', () => {
  test('a stream that is not there', async () => {
    const { client } = await one()
    const unknown = { status: 404, code: 54300, message: expect.stringContaining('Unique name not found') }
    await expect(client.stream(existing('nobody'))).rejects.toMatchObject(unknown)
    await expect(client.stream(existing(`to${'0'.repeat(32)}`))).rejects.toMatchObject(unknown)
    const sid = client.stream(existing(`TO${'0'.repeat(32)}`))
    await expect(sid).rejects.toMatchObject({ status: 404, code: 54250 })
  })

  test('a bad name', async () => {
    const { client } = await one()
    for (const id of ['', 'x'.repeat(321), `TO${'a'.repeat(32)}`]) {
      const created = client.stream({ id, mode: 'create_new' })
      await expect(created).rejects.toMatchObject({ status: 400, code: 54302 })
    }
  })

  test('a time to live that is too long', async () => {
    const { client } = await one()
    const bad = { status: 400, code: 54011 }
    await expect(client.stream({ id: 'a', ttl: 31_536_001 })).rejects.toMatchObject(bad)
    const stream = await client.stream('a')
    await expect(stream.setTtl(31_536_001)).rejects.toMatchObject(bad)
  })

  test('messages that are too large, no objects, or too many', async () => {
    const { client, hub } = await one()
    hub.stream('a', { limit: { ratePerSecond: 0.001, burst: 1 } })
    const stream = await opened(client, 'a')
    const large = stream.publishMessage({ text: 'x'.repeat(4096) })
    await expect(large).rejects.toMatchObject({ status: 413, code: 54006 })
    const huge = stream.publishMessage({ text: 'x'.repeat(900_000) })
    await expect(huge).rejects.toMatchObject({ status: 413, code: 54006 })
    // The SDK takes it for an object, and sends a text.
    await expect(stream.publishMessage(new Date(0))).rejects.toMatchObject({ status: 400, code: 54251 })
    await stream.publishMessage({ n: 1 })
    await expect(stream.publishMessage({ n: 2 })).rejects.toMatchObject({ status: 429, code: 54009 })
    expect(hub.ledger().accepted).toBe(1)
  })

  test('to publish to a stream that is gone', async () => {
    const { client, hub } = await one()
    const stream = await opened(client, 'a')
    const isRemoved = event(stream, 'removed')
    const other = await client.stream({ id: 'b' })
    await stream.removeStream()
    await isRemoved
    await expect(stream.publishMessage({ n: 1 })).rejects.toBeInstanceOf(Error)
    await other.publishMessage({ n: 1 })
    expect(hub.ledger().accepted).toBe(1)
  })

  test('what is not served, at once', async () => {
    const { client } = await one()
    const notServed = { status: 501, code: 20501, message: expect.stringContaining('Only Message Streams') }
    await expect(client.document('a')).rejects.toMatchObject(notServed)
    await expect(client.list('a')).rejects.toMatchObject(notServed)
    await expect(client.map('a')).rejects.toMatchObject(notServed)
    await expect(client.document()).rejects.toMatchObject(notServed)
    await expect(client.liveQuery('a', 'b == 1')).rejects.toMatchObject(notServed)
    expect(client.connectionState).toBe('connected')
  })

  test('what the key behind its token does not allow', async () => {
    const grants = [{ streams: 'open/*', allow: ['publish', 'listen', 'manage'] as const }]
    const { client } = await one({ keys: [ACCOUNT_KEY, { ...SIGNER, grants }] })
    const forbidden = { status: 403, code: 54007 }
    await expect(client.stream('closed')).rejects.toMatchObject(forbidden)
    const stream = await opened(client, 'open/a')
    expect(await stream.publishMessage({ n: 1 })).toMatchObject({ data: { n: 1 } })
  })

  test('a subscription that it may not have, for good', async () => {
    const grants = [{ allow: ['publish', 'manage'] as const }]
    const { client } = await one({ keys: [ACCOUNT_KEY, { ...SIGNER, grants }] })
    const stream = await client.stream('a')
    expect(await event(stream, 'failure')).toMatchObject({ status: 403, code: 54007 })
    await expect(stream.publishMessage({ n: 1 })).resolves.toMatchObject({ data: { n: 1 } })
  })

  test('more subscriptions than a connection may have', async () => {
    const { client, hub, gateway } = await one({ limits: { sdk: { maxSubscriptions: 2 } } })
    const held = [await opened(client, 'a'), await opened(client, 'b')]
    const third = await client.stream('c')
    expect(await event(third, 'failure')).toMatchObject({ status: 403, code: 54419 })
    third.close()
    held[0]?.close()
    // The SDK would ask for the fourth before it gives one back, and never ask again.
    await waitFor(() => expect(gateway.counts.subscriptions).toBe(1))
    const fourth = new Ears(await opened(client, 'd'))
    hub.stream('d').publish({ n: 1 })
    expect(await fourth.count(1)).toHaveLength(1)
  })

  test('nothing for good when subscribing fails for a moment', async () => {
    const slow = new SlowRegistry()
    const { client, hub } = await one({ registry: slow.registry })
    const stream = await client.stream('a')
    const away = () => new RivuletError('TRANSPORT_UNAVAILABLE', 'The registry does not answer.')
    slow.fail(away(), away())
    const failures: unknown[] = []
    stream.on('failure', (failure) => failures.push(failure))
    const ears = new Ears(await established(stream))
    hub.stream('a').publish({ n: 1 })
    expect(await ears.count(1)).toHaveLength(1)
    expect(failures).toEqual([])
  })
})
