import type { SyncStream } from 'twilio-sync'
import { describe, expect, test } from 'vitest'
import { waitFor } from '../../../../test/support/wait-for.ts'
import { ApiClient, BASIC } from '../../../gateway/test/support/api-client.ts'
import { ACCOUNT, SERVICE } from '../../../gateway/test/support/served-gateway.ts'
import { listenAt } from '../../../gateway/test/support/sse-client.ts'
import { connected, Ears, established, event, opened, servedSync } from '../support/sync-client.ts'

const NAMES = [
  '..',
  '.',
  'a/b',
  'a%2Fb',
  'ü ☃ 𝄞',
  ' ',
  '?a=b#c',
  'x'.repeat(320),
  '☃'.repeat(320),
  '__proto__',
]

async function two() {
  const { url, hub, gateway } = await servedSync()
  const [alice, bob] = [await connected(url, 'alice'), await connected(url, 'bob')]
  return { url, hub, gateway, alice, bob, api: new ApiClient(url) }
}

/** Opens one stream at both clients. */
async function shared() {
  const clients = await two()
  const [here, there] = [await opened(clients.alice, 'positions'), await opened(clients.bob, 'positions')]
  return { ...clients, here, there, atHere: new Ears(here), atThere: new Ears(there) }
}

describe('the official client SDK', () => {
  test('creates a stream, and opens it by its name and its sid', async () => {
    const { alice, bob, api } = await two()
    const stream = await alice.stream({ id: 'positions', ttl: 100 })
    expect(stream).toMatchObject({ uniqueName: 'positions', sid: expect.stringMatching(/^TO[0-9a-f]{32}$/) })
    const { body } = await api.fetch('positions')
    const owner = { account_sid: ACCOUNT, service_sid: SERVICE, created_by: 'alice' }
    expect(body).toMatchObject({ sid: stream.sid, ...owner })
    // The SDK hands the text over as it came.
    expect(stream.dateExpires).toBe(body.date_expires)
    for (const id of ['positions', stream.sid]) {
      expect((await bob.stream({ id, mode: 'open_existing' })).sid).toBe(stream.sid)
    }
  })

  test('creates anonymous streams, and refuses to create one that is there', async () => {
    const { alice, api } = await two()
    const [one, other] = [await alice.stream(), await alice.stream()]
    expect(one.uniqueName ?? null).toBeNull()
    expect(other.sid).not.toBe(one.sid)
    expect((await api.fetch(one.sid)).body.unique_name).toBeNull()
    await alice.stream({ id: 'taken', mode: 'create_new' })
    const again = alice.stream({ id: 'taken', mode: 'create_new' })
    await expect(again).rejects.toMatchObject({ status: 409, code: 54301 })
  })

  test('opens one stream when many open a new name at once', async () => {
    const { alice, bob } = await two()
    const opening = Array.from({ length: 20 }, (_, n) => (n % 2 ? alice : bob).stream('contested'))
    const sids = new Set((await Promise.all(opening)).map(({ sid }) => sid))
    expect(sids.size).toBe(1)
  })

  test('publishes once to each side, which knows whose message it is', async () => {
    const { here, there, atHere, atThere } = await shared()
    const message = await here.publishMessage({ truck: 7 })
    expect(message).toMatchObject({ sid: expect.stringMatching(/^TZ[0-9a-f]{32}$/), data: { truck: 7 } })
    expect(await atThere.count(1)).toEqual([{ value: { truck: 7 }, isLocal: false }])
    await there.publishMessage({ last: true })
    await atHere.count(2)
    expect(atHere.heard).toEqual([
      { value: { truck: 7 }, isLocal: true },
      { value: { last: true }, isLocal: false },
    ])
    expect(atThere.heard).toEqual([
      { value: { truck: 7 }, isLocal: false },
      { value: { last: true }, isLocal: true },
    ])
  })

  test('keeps the order of many messages', async () => {
    const { here, there, atThere } = await shared()
    const numbers = Array.from({ length: 20 }, (_, n) => n)
    await Promise.all(numbers.map((n) => here.publishMessage({ n })))
    // The SDK emits messages of others after a timer of its own, and its own ones at once.
    await atThere.count(numbers.length)
    await there.publishMessage({ last: true })
    expect(atThere.heard.map(({ value }) => value)).toEqual([...numbers.map((n) => ({ n })), { last: true }])
  })

  test('lets two tabs of one identity hear each other', async () => {
    const { url } = await servedSync()
    const tabs = [await connected(url, 'alice'), await connected(url, 'alice')] as const
    const [here, there] = [await opened(tabs[0], 'shared'), await opened(tabs[1], 'shared')]
    const ears = new Ears(there)
    await here.publishMessage({ n: 1 })
    expect(await ears.count(1)).toEqual([{ value: { n: 1 }, isLocal: false }])
  })

  test('hears REST and the hub, and is heard by SSE and the hub', async () => {
    const { api, hub, here, atHere } = await shared()
    const seen: unknown[] = []
    const subscription = hub.stream('positions').subscribe(({ data }) => seen.push(data))
    await subscription.ready
    const sse = await listenAt(api.messagesOf('positions'), BASIC)
    const published = await api.publish('positions', { by: 'rest' })
    hub.stream('positions').publish({ by: 'hub' })
    await atHere.count(2)
    const { sid } = await here.publishMessage({ by: 'sdk' })
    await sse.count(3)
    const all = [{ by: 'rest' }, { by: 'hub' }, { by: 'sdk' }]
    expect(atHere.heard.map(({ value }) => value)).toEqual(all)
    expect(atHere.heard.map(({ isLocal }) => isLocal)).toEqual([false, false, true])
    expect(sse.events.map(({ data }) => data)).toEqual(all)
    expect([sse.events[0]?.id, sse.events[2]?.id]).toEqual([published.body.sid, sid])
    expect(seen).toEqual(all)
    sse.close()
  })

  test('takes odd names, and says whose stream it is', async () => {
    const { alice, bob, api } = await two()
    for (const name of NAMES) {
      const stream = await alice.stream({ id: name, mode: 'create_new' })
      expect(stream.uniqueName).toBe(name)
      expect((await bob.stream({ id: name, mode: 'open_existing' })).sid).toBe(stream.sid)
      expect((await api.fetch(stream.sid)).body).toMatchObject({ unique_name: name })
      expect(await stream.publishMessage({ name })).toMatchObject({ data: { name } })
    }
  })

  test('sets a time to live, and hears that the stream expires', async () => {
    const { alice, bob } = await two()
    const [here, there] = [await opened(alice, 'brief'), await opened(bob, 'brief')]
    const removals = Promise.all([event(here, 'removed'), event(there, 'removed')])
    await here.setTtl(1)
    expect(here.dateExpires).toMatch(/^20\d\d-/)
    expect(await removals).toMatchObject([{ isLocal: false }, { isLocal: false }])
    await expect(bob.stream({ id: 'brief', mode: 'open_existing' })).rejects.toMatchObject({ code: 54300 })
  })

  test('removes a stream for everybody, once', async () => {
    const { alice, here, there, api } = await shared()
    const removals: unknown[] = []
    for (const stream of [here, there]) stream.on('removed', ({ isLocal }) => removals.push(isLocal))
    const isGone = event(there, 'removed')
    await here.removeStream()
    await isGone
    expect(removals.sort()).toEqual([false, true])
    expect((await api.fetch(here.sid)).status).toBe(404)
    // The frames of one connection keep their order: a late notice would have come before this answer.
    expect((await alice.stream('positions')).sid).not.toBe(here.sid)
    expect(removals).toHaveLength(2)
  })

  test('hears that REST has removed a stream, and may open the name anew', async () => {
    const { alice, api, here, there } = await shared()
    const removals = Promise.all([event(here, 'removed'), event(there, 'removed')])
    await api.remove('positions')
    expect(await removals).toMatchObject([{ isLocal: false }, { isLocal: false }])
    const anew = await opened(alice, 'positions')
    expect(anew.sid).not.toBe(here.sid)
    const ears = new Ears(anew)
    await api.publish('positions', { n: 1 })
    expect(await ears.count(1)).toHaveLength(1)
  })

  test('hears nothing any more of a stream that it has closed', async () => {
    const { gateway, api, here, there, atHere, atThere } = await shared()
    here.close()
    await waitFor(() => expect(gateway.counts.subscriptions).toBe(1))
    await api.publish('positions', { n: 1 })
    await atThere.count(1)
    expect(atHere.heard).toEqual([])
    expect(there.sid).toBe(here.sid)
  })

  test('subscribes to 150 streams with one client', async () => {
    const { gateway, api, alice } = await two()
    const names = Array.from({ length: 150 }, (_, n) => `stream-${n}`)
    const streams = await Promise.all(names.map((name) => alice.stream(name)))
    const ears = streams.map((stream) => new Ears(stream))
    await Promise.all(streams.map((stream) => established(stream as SyncStream)))
    expect(gateway.counts.subscriptions).toBe(150)
    await Promise.all(names.map((name) => api.publish(name, { name })))
    await Promise.all(ears.map((each) => each.count(1)))
    expect(ears.map(({ heard }) => heard)).toEqual(names.map((name) => [{ value: { name }, isLocal: false }]))
  })
})
