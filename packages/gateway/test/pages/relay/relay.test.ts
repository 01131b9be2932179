import { memoryBus } from '@rivulet/memory'
import { expect, onTestFinished, test, vi } from 'vitest'
import { eventually, makeLive } from '../../../../../test/support/live.ts'
import { ScriptedTransport } from '../../../../../test/support/scripted-transport.ts'
import { relay } from '../../../src/relay.ts'
import { frameOf, prefix, prefixOf, secretOf, topicOf } from '../../support/frames.ts'
import { HUB, serve } from '../../support/scene.ts'
import { trustedSession } from '../../support/sessions.ts'

const TOPIC = topicOf('positions')
const KILLER = topicOf('killer')

test('gives no page what upstream did not take from the hub', async () => {
  const upstream = new ScriptedTransport()
  const { hub, welcomed } = await serve({ upstream })
  const page = await welcomed('ann')
  await page.join(TOPIC)
  upstream.sending = 'offline'
  hub.stream('positions').publish({ n: 1 })
  await hub.flush()
  expect(hub.ledger().lost.offline).toBe(1)
  upstream.sending = 'sent'
  hub.stream('positions').publish({ n: 2 })
  await hub.flush()
  await page.barrier()
  expect(page.all('frame').map(({ text }) => JSON.parse(text).data)).toEqual([{ n: 2 }])
})

test('gives the hub frames only of topics that the hub joined', async () => {
  const upstream = new ScriptedTransport()
  const { hub, welcomed } = await serve({ upstream })
  const page = await welcomed('ann')
  await page.join(TOPIC)
  upstream.host.receive(TOPIC as never, frameOf(prefix('b')))
  page.topical('frame', TOPIC, frameOf(prefixOf('ann')))
  await page.barrier()
  expect(hub.ledger().received).toBe(0)
})

test('tells its pages to come back when it is closed, and opens again', async () => {
  const { hub, raw, relay: made, welcomed } = await serve()
  const page = await welcomed('ann')
  await page.join(TOPIC)
  await hub.close()
  expect(await page.closed).toEqual({ code: 4101, reason: 'the server closes' })
  const waiting = await raw()
  waiting.hello({ version: 1, hub: HUB, secret: secretOf('ann'), token: 'ann' })
  await made.open(
    { hub: HUB, receive() {}, watched() {}, down() {}, error() {}, left() {} },
    AbortSignal.timeout(10_000),
  )
  await waiting.next('welcome')
  await made.close(AbortSignal.abort())
})

test('a server that closes has its pages reconnect, and refuses new ones', async () => {
  const { raw, server, welcomed } = await serve()
  const [page, unauthenticated] = [await welcomed('ann'), await raw()]
  server.pages.close()
  for (const one of [page, unauthenticated, await raw()]) {
    expect(await one.closed).toEqual({ code: 4101, reason: 'the server closes' })
  }
})

test('a join that costs upstream its connection is blamed, also when repeated', async () => {
  const upstream = new ScriptedTransport()
  const { hub, welcomed } = await serve({ upstream })
  upstream.answers.join = 'hang'
  const first = await welcomed('ann')
  first.join(KILLER).catch(() => {})
  for (let losses = 1; losses <= 2; losses++) {
    await eventually(() => upstream.joins.length).toBe(losses)
    upstream.host.down(new Error('protocol error'))
  }
  await first.closed
  await eventually(() => hub.status).toBe('up')
  upstream.answers.join = 'resolve'
  const again = await welcomed('ann')
  const { kind, text } = await again.join(KILLER)
  expect({ kind, text }).toEqual({ kind: 'refused', text: expect.stringContaining('protocol error') })
  expect((await again.join(TOPIC)).kind).toBe('joined')
  expect(upstream.joins.map(({ topic }) => topic)).toEqual([KILLER, KILLER, TOPIC])
})

test('a trusted page is heard once over an upstream that echoes, and is not limited', async () => {
  const scene = await serve({
    upstream: memoryBus({ echoes: true }).transport(),
    session: (token) => (token === 'trusted' ? trustedSession(scene.relay) : {}),
  })
  await scene.hub.ready()
  const [trusted, listener] = [
    await scene.welcomed('trusted'),
    await scene.welcomed('trusted', secretOf('listener')),
  ]
  for (const page of [trusted, listener]) await page.join(TOPIC)
  const frames = Array.from({ length: 500 }, (_, n) => frameOf(prefixOf('trusted'), n + 1))
  for (const frame of frames) trusted.topical('frame', TOPIC, frame)
  await trusted.barrier()
  await listener.barrier()
  expect(listener.all('frame').map(({ text }) => text)).toEqual(frames)
  expect(trusted.all('frame')).toEqual([])
})

test('its log says what happened, and holds no token', async () => {
  const lines: string[] = []
  const note = (fields: object, text: string) => lines.push(`${text} ${JSON.stringify(fields)}`)
  const { page } = await serve({ log: { debug: note, info: note, warn: note } })
  const ann = await page('hunter2')
  ann.stream('secret-stream').publish({ n: 1 })
  await ann.close()
  await eventually(() => lines.length).toBe(2)
  expect(lines.join()).toContain('a page was let in')
  expect(lines.join()).toContain('a page has ended')
  expect(lines.join()).not.toMatch(/hunter2|secret-stream/)
})

test('is named after its upstream', () => {
  expect(relay().name).toBe('relay')
  expect(relay(new ScriptedTransport()).name).toBe('relay over scripted')
})

test('retries a refused topic upstream only while a page wants it', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const upstream = new ScriptedTransport()
  upstream.answers.join = new Error('no permission')
  const carried = relay(upstream)
  const host = { hub: HUB, receive() {}, watched() {}, down() {}, error() {}, left() {} }
  await carried.open(host, new AbortController().signal)
  const told: string[] = []
  const port = carried.attach({
    opened() {},
    ended() {},
    left() {},
    failed() {},
    receive() {},
    joined: () => told.push('joined'),
    refused: () => told.push('refused'),
  })
  const ask = async () => {
    port.join(topicOf('positions') as never)
    await vi.advanceTimersByTimeAsync(0)
  }
  await ask()
  await ask()
  expect([told, upstream.joins.length]).toEqual([['refused', 'refused'], 1])
  await vi.advanceTimersByTimeAsync(30_000)
  expect(upstream.joins.length).toBe(1)
  await ask()
  await ask()
  expect([told.length, upstream.joins.length]).toEqual([4, 2])
  upstream.answers.join = 'resolve'
  await vi.advanceTimersByTimeAsync(10_000)
  await ask()
  expect([told.at(-1), upstream.joins.length]).toEqual(['joined', 3])
  await carried.close(AbortSignal.abort())
})

test('retries a topic that cost upstream its connection, also if joined meanwhile', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const upstream = new ScriptedTransport()
  upstream.answers.join = 'hang'
  const hub = makeLive({ transport: relay(upstream), name: HUB })
  hub.on('error', () => {})
  const heard: unknown[] = []
  const stream = hub.stream('killer')
  const subscription = stream.subscribe(() => {})
  for (let losses = 1; losses <= 2; losses++) {
    await vi.advanceTimersByTimeAsync(1_000)
    expect(upstream.joins.length).toBe(losses)
    upstream.host.down(new Error('protocol error'))
  }
  upstream.answers.join = 'resolve'
  await vi.advanceTimersByTimeAsync(1_000)
  subscription.unsubscribe()
  await vi.advanceTimersByTimeAsync(0)
  stream.subscribe(({ data }) => heard.push(data))
  await vi.advanceTimersByTimeAsync(30_000)
  expect(hub.status).toBe('up')
  upstream.host.receive(KILLER as never, frameOf(prefix('b')))
  expect(heard.length).toBe(1)
})
