import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Broker, startNats } from '../../../test/support/brokers.ts'
import { waitFor } from '../../../test/support/wait-for.ts'
import { ApiClient, BASIC } from '../../gateway/test/support/api-client.ts'
import { GatewayProcess } from '../../gateway/test/support/gateway-process.ts'
import { ACCOUNT, SERVICE, TOKEN } from '../../gateway/test/support/served-gateway.ts'
import { listenAt } from '../../gateway/test/support/sse-client.ts'
import { BucketClient } from './support/bucket-client.ts'

const OTHER_SERVICE = `IS${'3'.repeat(32)}`

let broker: Broker
beforeAll(async () => {
  broker = await startNats({ jetstream: true })
})
afterAll(() => broker.close())

function start(): GatewayProcess {
  const args = ['--port', '0', '--service', SERVICE, '--registry', 'nats']
  return new GatewayProcess(args, {
    RIVULET_GATEWAY_KEYS: `${ACCOUNT}:${TOKEN}`,
    RIVULET_GATEWAY_TRANSPORT: broker.url,
  })
}

async function two() {
  const processes = [start(), start()] as const
  const [here, there] = await Promise.all(
    processes.map(async (process) => new ApiClient(await process.url())),
  )
  return { processes, here: here as ApiClient, there: there as ApiClient }
}

describe('two gateways on one NATS server', { timeout: 120_000 }, () => {
  test('share streams, messages, removals and times to live', async () => {
    const { here, there } = await two()
    const created = await here.create({ UniqueName: 'positions' })
    const client = await listenAt(here.messagesOf('positions'), BASIC)
    const published = await there.publish('positions', { n: 1 })
    expect(published.status).toBe(201)
    expect((await there.fetch(created.body.sid)).body).toMatchObject({ unique_name: 'positions' })
    await client.count(1)
    expect(client.events).toEqual([{ event: 'messagePublished', id: published.body.sid, data: { n: 1 } }])

    expect((await there.remove('positions')).status).toBe(204)
    await client.ended
    expect(client.events.at(-1)).toMatchObject({ event: 'removed', data: { reason: 'removed' } })
    // The listener may have heard it from the hub, whose connection is another one than that of the registry.
    for (const id of ['positions', created.body.sid])
      await waitFor(async () => expect((await here.fetch(id)).status).toBe(404))

    const anonymous = await there.create({ Ttl: '100' })
    const listener = await listenAt(here.messagesOf(anonymous.body.sid), BASIC)
    expect((await there.update(anonymous.body.sid, { Ttl: '1' })).status).toBe(200)
    await listener.ended
    expect(listener.events).toEqual([{ event: 'removed', id: undefined, data: { reason: 'expired' } }])
    expect((await there.fetch(anonymous.body.sid)).status).toBe(404)
  })

  test('let exactly one of many creates of a name succeed', async () => {
    const { here, there } = await two()
    const creates = Array.from({ length: 50 }, (_, index) =>
      (index % 2 === 0 ? here : there).create({ UniqueName: 'contested' }),
    )
    const answers = await Promise.all(creates)
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
    expect(answers.filter(({ body }) => body.code === 54301)).toHaveLength(49)
    await here.remove('contested')
    expect((await there.create({ UniqueName: 'contested' })).status).toBe(201)
    await there.remove('contested')
  })

  test('find their streams again after one is killed', async () => {
    const { processes, here, there } = await two()
    const names = Array.from({ length: 60 }, (_, number) => `stream ${number} é/☃`)
    for (const UniqueName of names) expect((await here.create({ UniqueName })).status).toBe(201)
    const brief = await here.create({ UniqueName: 'brief', Ttl: '3600' })
    const listener = await listenAt(there.messagesOf('brief'), BASIC)
    await Promise.all(processes.map((process) => process.kill('SIGKILL')))
    await listener.ended
    // No gateway is there to see its end.
    const { kv } = await BucketClient.open(broker.url)
    const key = `${SERVICE}.n.${Buffer.from('brief').toString('base64url')}`
    const record = (await kv.get(key))?.json<object>()
    await kv.put(key, JSON.stringify({ ...record, expiresMs: Date.now() - 1 }))

    const again = new ApiClient(await start().url())
    const { body } = await again.list('?PageSize=100')
    expect(body.streams.map((stream: { unique_name: string }) => stream.unique_name)).toEqual(names)
    expect((await again.publish(names[0] as string, { n: 1 })).status).toBe(201)
    expect((await again.fetch(brief.body.sid)).status).toBe(404)
    expect((await again.create({ UniqueName: 'brief' })).status).toBe(201)
  })

  test.each([
    ['a record of another service', () => ({ serviceSid: SERVICE, uniqueName: 'victim', expiresMs: 1 })],
    ['the sid of a stream of another service', (sid: string) => ({ sid })],
    ['an array as sid', (sid: string) => ({ sid: [sid] })],
    ['a date that cannot be shown', () => ({ serviceSid: SERVICE, createdMs: 1e20 })],
  ])('are not harmed when another program writes %s into the bucket', async (_what, changes) => {
    const { here, there } = await two()
    const bucket = await BucketClient.open(broker.url)
    const victim = await here.create({ UniqueName: 'victim' })
    const client = await listenAt(there.messagesOf('victim'), BASIC)
    const own = { sid: `TO${'a'.repeat(32)}`, serviceSid: OTHER_SERVICE, uniqueName: 'bad', expiresMs: null }
    const record = { ...own, createdMs: 1, updatedMs: 1, ...changes(victim.body.sid) }
    const writer = 'createdMs' in changes('') ? SERVICE : OTHER_SERVICE
    const key = `${writer}.n.${Buffer.from('bad').toString('base64url')}`
    await bucket.write(key, record)
    expect((await here.create({ UniqueName: 'after' })).status).toBe(201)
    for (const api of [here, there]) {
      const { status, body } = await api.list('?PageSize=100')
      expect(status).toBe(200)
      const listed = body.streams.map((stream: { unique_name: string }) => stream.unique_name)
      expect(listed).toEqual(expect.arrayContaining(['victim', 'after']))
      expect(listed).not.toContain('bad')
    }
    await bucket.kv.purge(key)
    expect((await here.remove('after')).status).toBe(204)
    expect((await there.list()).status).toBe(200)
    expect((await here.publish('victim', { n: 1 })).status).toBe(201)
    await client.until(() => client.events.length > 0)
    expect(client.events).toMatchObject([{ event: 'messagePublished', data: { n: 1 } }])
    expect((await there.remove('victim')).status).toBe(204)
    await client.ended
  })

  test('answer 503 while the server is away, and go on when it is back', async () => {
    const { here, there } = await two()
    const { body } = await here.create({ UniqueName: 'before' })
    await broker.kill()
    expect(await here.create({ UniqueName: 'during' })).toMatchObject({ status: 503, body: { code: 20503 } })
    expect((await here.fetch('before')).status).toBe(200)
    const health = async () => (await here.send('GET', new URL('/healthz', here.urlOf('')).href)).status
    await waitFor(async () => expect(await health()).toBe(503))
    await broker.start()
    await waitFor(async () => expect(await health()).toBe(200), 30_000)
    await waitFor(async () => expect((await here.create()).status).toBe(201), 30_000)
    await waitFor(async () => expect((await there.remove(body.sid)).status).toBe(204), 30_000)
    await waitFor(async () => expect((await here.fetch('before')).status).toBe(404), 30_000)
  })
})
