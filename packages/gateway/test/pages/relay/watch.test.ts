import { memoryBus } from '@rivulet/memory'
import { mqtt } from '@rivulet/mqtt'
import { websocket } from '@rivulet/websocket'
import type { Hub, Tap, Topic, Transport } from 'rivulet'
import { describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { POSITIONS, shortHost, within } from '../../../../../test/support/adapters/waits.ts'
import { startMosquitto } from '../../../../../test/support/brokers.ts'
import { expectLaws } from '../../../../../test/support/ledger-laws.ts'
import { ending, eventually, makeLive } from '../../../../../test/support/live.ts'
import { ScriptedTransport } from '../../../../../test/support/scripted-transport.ts'
import { relay } from '../../../src/relay.ts'
import { frameOf, prefix, prefixOf, topicOf } from '../../support/frames.ts'
import { HUB, serve } from '../../support/scene.ts'
import { trustedSession } from '../../support/sessions.ts'

const GUEST = { opened() {}, ended() {}, left() {}, failed() {}, receive() {}, joined() {}, refused() {} }

/** A tap that has begun, and what it hears as `stream n`. */
async function tapOf(hub: Hub): Promise<{ tap: Tap; heard: string[] }> {
  const heard: string[] = []
  const tap = hub.tap(({ data }, stream) => heard.push(`${stream} ${(data as { n: number }).n}`))
  await tap.ready
  return { tap, heard }
}

function publish(hub: Hub, stream: string, n: number): void {
  hub.stream(stream).publish({ n })
}

/** A relay that is open on a host that writes down what it hears, and a port by which pages send. */
async function relayByHand(upstream?: Transport, host = shortHost()) {
  const made = relay(upstream)
  await made.open(host, within())
  const port = made.attach(GUEST)
  const send = (topic: string, text: string) => port.send(topic as Topic, new TextEncoder().encode(text), {})
  return { made, host, port, send }
}

describe('the hub of a relay', () => {
  test('receives frames of pages without upstream, joined or not, and not its own', async () => {
    const { hub, page } = await serve()
    const [ann, bob] = [await page('ann'), await page('bob')]
    const received: number[] = []
    await hub.stream<{ n: number }>('joined').subscribe(({ data }) => received.push(data.n)).ready
    const { tap, heard } = await tapOf(hub)
    publish(hub, 'joined', 0)
    publish(ann, 'joined', 1)
    publish(bob, 'ä/ö', 2)
    await eventually(() => [...heard].sort()).toEqual(['joined 1', 'ä/ö 2'])
    expect(received).toEqual([0, 1])
    expect(hub.ledger()).toMatchObject({ received: 1, delivered: 1 })
    expect(tap.ledger()).toMatchObject({ received: 2, delivered: 2, missed: 0 })
    tap.unsubscribe()
    publish(ann, 'joined', 3)
    await eventually(() => received).toEqual([0, 1, 3])
    expect(heard).toHaveLength(2)
  })

  test.each([
    ['a bus', async () => memoryBus()],
    ['a bus that echoes', async () => memoryBus({ echoes: true })],
    [
      'mosquitto',
      async () => {
        const broker = await ending(startMosquitto())
        return { transport: () => mqtt({ url: broker.url }) }
      },
    ],
  ])('hears its pages, other pages and services over %s, each once', async (_, makeBackend) => {
    const backend = await makeBackend()
    const [here, there] = [
      await serve({ upstream: backend.transport() }),
      await serve({ upstream: backend.transport() }),
    ]
    const service = makeLive({ transport: backend.transport(), name: HUB })
    const [ann, bob] = [await here.page('ann'), await there.page('bob')]
    const received: number[] = []
    await Promise.all([service, here.hub, there.hub].map((hub) => hub.ready()))
    const joined = here.hub.stream<{ n: number }>('joined').subscribe(({ data }) => received.push(data.n))
    await Promise.all([joined.ready, ann.stream('joined').subscribe(() => {}).ready])
    const { tap, heard } = await tapOf(here.hub)
    const publishers = [ann, bob, service, there.hub]
    for (const [n, hub] of publishers.entries()) for (const name of ['joined', 'alone']) publish(hub, name, n)
    publish(here.hub, 'joined', 9)
    const all = publishers.flatMap((_, n) => [`alone ${n}`, `joined ${n}`])
    await Promise.all([...publishers, here.hub].map((hub) => hub.flush()))
    await eventually(() => [...heard].sort()).toEqual(all.sort())
    await eventually(() => [...received].sort()).toEqual([0, 1, 2, 3, 9])
    expect(tap.ledger()).toMatchObject({ delivered: 8, missed: 0, dropped: { duplicate: 0, malformed: 0 } })
    expect(here.hub.ledger().dropped.duplicate).toBe(0)
    for (const ledger of [tap.ledger(), here.hub.ledger()]) expectLaws(ledger)
  })

  test('hears pages and upstream again after an outage', async () => {
    const bus = memoryBus()
    const { hub, page } = await serve({ upstream: bus.transport() })
    const service = makeLive({ transport: bus.transport(), name: HUB })
    service.on('error', () => {})
    const ann = await page('ann')
    await Promise.all([service, hub].map((one) => one.ready()))
    const { tap, heard } = await tapOf(hub)
    publish(ann, 'positions', 1)
    await eventually(() => heard).toEqual(['positions 1'])
    bus.down()
    for (const one of [hub, ann, service]) await eventually(() => one.status).toBe('down')
    bus.up()
    for (const one of [hub, ann, service]) await eventually(() => one.status).toBe('up')
    await Promise.all([service, hub, ann].map((one) => one.ready()))
    await tap.ready
    publish(ann, 'positions', 2)
    publish(service, 'positions', 3)
    await eventually(() => [...heard].sort()).toEqual(['positions 1', 'positions 2', 'positions 3'])
    expect(tap.ledger().missed).toBe(0)
  })

  test('hears 2 000 streams of pages, and the ledger adds up', async () => {
    const scene = await serve({ session: () => trustedSession(scene.relay) })
    await scene.hub.ready()
    const { tap, heard } = await tapOf(scene.hub)
    const page = await scene.welcomed('trusted')
    for (let n = 1; n <= 4_000; n++) {
      page.topical('frame', topicOf(`s${n % 2_000}`), frameOf(prefixOf('trusted'), n))
    }
    await page.barrier()
    expect(new Set(heard).size).toBe(4_000)
    const ledger = tap.ledger()
    expect(ledger).toMatchObject({ received: 4_000, delivered: 4_000, subscribers: 2_000 })
    expectLaws(ledger)
  })

  test('is told when upstream refuses, and asks again when upstream has ended the watch', async () => {
    const upstream = new ScriptedTransport()
    upstream.answers.watch = new Error('no permission')
    const { hub, errors, welcomed } = await serve({ upstream })
    const page = await welcomed('ann')
    const heard: unknown[] = []
    const tap = hub.tap(({ data }) => heard.push(data))
    await expect(tap.ready).rejects.toMatchObject({ code: 'TRANSPORT_FAILED' })
    expect(errors.join()).toContain('no permission')
    page.topical('frame', topicOf('a'), frameOf(prefixOf('ann'), 1))
    await page.barrier()
    expect(heard).toEqual([])
    upstream.answers.watch = 'resolve'
    await tap.ready
    const { length } = upstream.watches
    upstream.host.left(undefined, new Error('revoked'))
    expect(errors.join()).toContain('revoked')
    await eventually(() => upstream.watches.length).toBe(length + 1)
    await tap.ready
    page.topical('frame', topicOf('a'), frameOf(prefixOf('ann'), 2))
    upstream.host.watched(topicOf('b'), frameOf(prefix('b'), 3))
    await page.barrier()
    expect(heard).toEqual(expect.arrayContaining([{ n: 2 }, { n: 3 }]))
    expect(heard).toHaveLength(2)
  })

  test('cannot watch over an upstream that cannot', async () => {
    const upstream = new ScriptedTransport()
    upstream.capabilities = { ...upstream.capabilities, watch: false }
    const { hub, relay: made } = await serve({ upstream })
    await hub.ready()
    expect(made.capabilities.watch).toBe(false)
    await expect(made.watch(HUB, within())).rejects.toMatchObject({
      message: expect.stringContaining('relay over scripted cannot hear every stream'),
    })
    await expect(hub.tap(() => {}).ready).rejects.toMatchObject({ code: 'TRANSPORT_FAILED' })
    expect(upstream.watches).toEqual([])
  })
})

describe('a relay by hand', () => {
  test('hands over frames of pages during the watch only', async () => {
    const { made, host, send } = await relayByHand()
    const watching = new AbortController()
    send(POSITIONS, 'before')
    await made.watch('fleet', watching.signal)
    send(POSITIONS, 'heard')
    send('rivulet/fleet2/positions', 'of another hub')
    send('rivulet/flee/positions', 'of another hub')
    watching.abort()
    send(POSITIONS, 'afterwards')
    await made.watch('fleet', within())
    send(POSITIONS, 'again')
    await made.close(AbortSignal.abort())
    await made.open(host, within())
    send(POSITIONS, 'on another connection')
    expect(host.watchedFrames.map(({ text }) => text)).toEqual(['heard', 'again'])
    expect(host.frames).toEqual([])
    await made.close(AbortSignal.abort())
  })

  test('hands over nothing before upstream confirms, or when the signal aborts', async () => {
    const upstream = new ScriptedTransport()
    upstream.answers.watch = 'hang'
    const { made, host, send } = await relayByHand(upstream)
    const watching = new AbortController()
    const answer = made.watch('fleet', watching.signal)
    send(POSITIONS, 'early')
    watching.abort(new Error('enough'))
    upstream.watches[0]?.resolve()
    await expect(answer).rejects.toMatchObject({ message: expect.stringContaining('enough') })
    send(POSITIONS, 'late')
    expect(host.watchedFrames).toEqual([])
    await made.close(AbortSignal.abort())
  })

  test('reports a host that throws, and the page and the other frames go on', async () => {
    const throwing = shortHost()
    throwing.watched = () => {
      throw new Error('mine')
    }
    const { made, host, send } = await relayByHand(undefined, throwing)
    await made.watch('fleet', within())
    expect([send(POSITIONS, 'one'), send(POSITIONS, 'two')]).toEqual(['sent', 'sent'])
    expect(host.errors.map(({ cause }) => cause.message)).toEqual(['mine', 'mine'])
    await made.close(AbortSignal.abort())
  })
})

test('a page cannot watch, and is told what can', async () => {
  const { page, server } = await serve()
  const ann = await page('ann')
  await expect(ann.tap(() => {}).ready).rejects.toMatchObject({
    code: 'TRANSPORT_FAILED',
    message: expect.stringContaining('A page cannot hear every stream of a hub'),
  })
  const transport = websocket({ url: server.url, WebSocket })
  expect(transport.capabilities.watch).toBe(false)
  await expect(transport.watch(HUB, within())).rejects.toMatchObject({
    message: expect.stringMatching(/A page cannot.*watch on a service/),
  })
})
