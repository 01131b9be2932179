import { encodeNumbered, encodeText, encodeTopical, KIND } from '@rivulet/websocket/protocol'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { eventually } from '../../../../test/support/live.ts'
import { ScriptedTransport } from '../../../../test/support/scripted-transport.ts'
import { type PageSocket, relay, servePages } from '../../src/relay.ts'
import { frameOf, prefix, prefixOf, removalOf, secretOf, topicOf } from '../support/frames.ts'
import { HandSocket, HOST, pagesByHand } from '../support/hand-pages.ts'
import { HUB, serve } from '../support/scene.ts'
import { openSession } from '../support/sessions.ts'

const TOPIC = topicOf('positions')
const ANNS = prefixOf('ann')

afterEach(() => void vi.useRealTimers())

describe('a page that does not read', () => {
  test('has a bounded number of bytes waiting; frames beyond are dropped and counted', async () => {
    const { relay: made, pages, enter } = await pagesByHand()
    const { socket, page } = await enter('ann')
    const reader = await enter('bob')
    for (const each of [page, reader.page]) each.receive(encodeNumbered(KIND.join, 1, TOPIC))
    socket.isReading = false
    const large = { text: 'x'.repeat(60_000) }
    const frames = 40
    for (let n = 1; n <= frames; n++) made.send(TOPIC as never, frameOf(prefix('a'), n, large))
    expect(socket.bufferedBytes).toBeLessThanOrEqual(1_048_576)
    expect(socket.bufferedBytes).toBeGreaterThan(1_048_576 - 61_000)
    const got = socket.count(KIND.frame)
    expect(reader.socket.count(KIND.frame)).toBe(frames)
    expect(pages.counts).toMatchObject({ sent: got + frames, dropped: frames - got, pages: 2 })
  })

  test('is ended when there is no room for answers either', async () => {
    const { pages, enter } = await pagesByHand()
    const { socket, page } = await enter('ann')
    socket.isReading = false
    const reply = 5
    socket.bufferedBytes = 1_048_576 + 65_536 - reply
    page.receive(encodeNumbered(KIND.barrier, 1))
    expect(socket.count(KIND.barrier)).toBe(1)
    expect(socket.bufferedBytes).toBe(1_048_576 + 65_536)
    page.receive(encodeNumbered(KIND.barrier, 2))
    expect(socket.count(KIND.barrier)).toBe(1)
    expect(socket.ends).toEqual([4102, 'terminated'])
    expect(pages.counts.pages).toBe(0)
  })

  test('that is ended by the answer to a join takes the topic from no other page', async () => {
    const upstream = new ScriptedTransport()
    upstream.answers.join = 'hang'
    const received: string[] = []
    const host = { ...HOST, receive: (topic: string) => void received.push(topic) }
    const { relay: made, pages, enter } = await pagesByHand({ upstream, host })
    const { socket, page } = await enter('ann')
    page.receive(encodeNumbered(KIND.join, 1, TOPIC))
    const joined = made.join(TOPIC as never, new AbortController().signal)
    socket.bufferedBytes = 2_000_000
    await eventually(() => upstream.joins.length).toBe(1)
    upstream.joins[0]?.resolve()
    await joined
    expect(pages.counts.pages).toBe(0)
    upstream.host.receive(TOPIC as never, frameOf(prefix('b')))
    expect([received, upstream.left]).toEqual([[TOPIC], []])
  })

  test('costs the server little memory on a real socket, and the others nothing', async () => {
    const { hub, welcomed, server } = await serve({ ratePerSecond: 100_000, burst: 100_000 })
    const [slow, fast] = [await welcomed('slow'), await welcomed('fast')]
    for (const page of [slow, fast]) await page.join(TOPIC)
    slow.socket.pause()
    const stream = hub.stream('positions', { limit: false, maxBytes: 65_536 })
    let published = 0
    await eventually(async () => {
      for (let n = 0; n < 20; n++) stream.publish({ n: published++, text: 'x'.repeat(30_000) })
      await fast.barrier()
      return server.pages.counts.dropped
    }).toBeGreaterThan(0)
    expect(server.mostBufferedBytes).toBeLessThanOrEqual(1_048_576 + 65_536)
    await eventually(() => server.pages.counts.pages).toBe(1)
    expect(await Promise.race([fast.closed, fast.barrier().then(() => 'open')])).toBe('open')
  })
})

describe('time', () => {
  test('ends a pending connection that is silent, or held, after ten seconds', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const made = relay()
    const pages = servePages({ authenticate: async () => openSession(made, 'ann') })
    const [silent, held] = [new HandSocket(), new HandSocket()]
    pages.accept(silent)
    pages
      .accept(held)
      .receive(encodeText(KIND.hello, JSON.stringify({ version: 1, hub: HUB, secret: secretOf('held') })))
    await vi.advanceTimersByTimeAsync(9_999)
    expect([silent.ends, held.ends]).toEqual([[], []])
    await vi.advanceTimersByTimeAsync(2_000)
    expect([silent.ends, held.ends]).toEqual([[4105], [4105]])
    // Neither closes, so they are ended.
    await vi.advanceTimersByTimeAsync(4_000)
    expect([silent.ends, held.ends]).toEqual([
      [4105, 'terminated'],
      [4105, 'terminated'],
    ])
    expect(vi.getTimerCount(), 'no timer runs without pages').toBe(0)
  })

  test('pings a page every two seconds, and ends one that is silent for six', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const { enter } = await pagesByHand()
    const { socket, page } = await enter('ann')
    for (let seconds = 2; seconds <= 20; seconds += 2) {
      await vi.advanceTimersByTimeAsync(2_000)
      expect(socket.count(KIND.ping)).toBe(seconds / 2)
      page.receive(encodeText(KIND.pong))
    }
    await vi.advanceTimersByTimeAsync(5_999)
    expect(socket.ends).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(socket.ends).toEqual([4102, 'terminated'])
  })

  test('lets five removals a second of a stream pass, from a page and to one', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const { relay: made, pages, enter } = await pagesByHand()
    const [ann, bob] = [await enter('ann'), await enter('bob')]
    bob.page.receive(encodeNumbered(KIND.join, 1, TOPIC))
    for (let n = 1; n <= 20; n++) ann.page.receive(encodeTopical(KIND.frame, TOPIC, removalOf(ANNS, n)))
    expect(pages.counts).toMatchObject({ received: 5, refused: 15, sent: 5, dropped: 0 })
    for (let n = 1; n <= 20; n++) made.send(TOPIC as never, removalOf(prefix('b'), n))
    expect(pages.counts).toMatchObject({ sent: 5, dropped: 20 })
    vi.advanceTimersByTime(1_000)
    for (let n = 21; n <= 40; n++) made.send(TOPIC as never, removalOf(prefix('b'), n))
    expect(pages.counts).toMatchObject({ sent: 10, dropped: 35 })
    // They have taken no room of messages.
    for (let n = 41; n <= 100; n++) made.send(TOPIC as never, frameOf(prefix('b'), n))
    expect(pages.counts).toMatchObject({ sent: 70, dropped: 35 })
  })

  test.each([
    [1, 60],
    [3, 180],
  ])('lets pass to a page what %i publishers of a stream may send', async (publishers, most) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const { relay: made, pages, enter } = await pagesByHand({ publishers })
    const [ann, bob] = [await enter('ann'), await enter('bob')]
    bob.page.receive(encodeNumbered(KIND.join, 1, TOPIC))
    for (let n = 1; n <= 200; n++) made.send(TOPIC as never, frameOf(prefix('b'), n))
    expect(pages.counts).toMatchObject({ sent: most, dropped: 200 - most })
    for (let n = 1; n <= 100; n++) ann.page.receive(encodeTopical(KIND.frame, TOPIC, frameOf(ANNS, n)))
    expect(pages.counts, 'a page keeps its own rate').toMatchObject({ received: 60, refused: 40 })
  })

  test('takes no frame of a page that was silent for five, for it may be as old', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const { pages, enter } = await pagesByHand()
    const [ann, bob] = [await enter('ann'), await enter('bob')]
    bob.page.receive(encodeNumbered(KIND.join, 1, TOPIC))
    let sequence = 0
    // What a link held back comes in one piece.
    const thaw = () => {
      for (let n = 0; n < 3; n++)
        ann.page.receive(encodeTopical(KIND.frame, TOPIC, frameOf(ANNS, ++sequence)))
    }
    ann.page.receive(encodeText(KIND.pong))
    await vi.advanceTimersByTimeAsync(4_999)
    bob.page.receive(encodeText(KIND.pong))
    thaw()
    expect(ann.socket.ends).toEqual([])
    expect(bob.socket.count(KIND.frame)).toBe(3)
    await vi.advanceTimersByTimeAsync(5_000)
    // Of a ping from before the silence: it tells nothing of what follows.
    ann.page.receive(encodeText(KIND.pong))
    thaw()
    expect(ann.socket.ends).toEqual([4102, 'terminated'])
    expect(bob.socket.count(KIND.frame)).toBe(3)
    expect(pages.counts).toMatchObject({ received: 3, pages: 1 })
  })

  test('takes frames again once a page that was silent has answered a new ping', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const { pages, enter } = await pagesByHand()
    const { socket, page } = await enter('ann')
    page.receive(encodeText(KIND.pong))
    await vi.advanceTimersByTimeAsync(5_500)
    const pings = socket.count(KIND.ping)
    page.receive(encodeNumbered(KIND.join, 1, TOPIC))
    expect(socket.count(KIND.joined)).toBe(1)
    expect(socket.count(KIND.ping)).toBe(pings + 1)
    for (let answered = 0; answered <= pings; answered++) page.receive(encodeText(KIND.pong))
    page.receive(encodeTopical(KIND.frame, TOPIC, frameOf(ANNS)))
    expect(pages.counts.received).toBe(1)
    expect(socket.ends).toEqual([])
  })

  test('lets a second of what a page published pass again', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const { pages, enter } = await pagesByHand()
    const { page } = await enter('ann')
    let sequence = 0
    const publish = (count: number) => {
      const before = pages.counts.received
      for (let n = 0; n < count; n++) {
        page.receive(encodeTopical(KIND.frame, TOPIC, frameOf(ANNS, ++sequence)))
      }
      return pages.counts.received - before
    }
    expect(publish(100)).toBe(60)
    vi.advanceTimersByTime(1_000)
    expect(publish(100)).toBe(30)
    vi.advanceTimersByTime(4_000)
    expect(publish(100)).toBe(60)
  })
})

test('a socket that throws ends its own page only', async () => {
  const { server, welcomed, hub } = await serve()
  const broken = () => {
    throw new Error('broken')
  }
  let send = () => {}
  const socket: PageSocket = { send: () => send(), close: broken, terminate: broken, bufferedBytes: 0 }
  const handler = server.pages.accept(socket)
  handler.receive(
    encodeText(KIND.hello, JSON.stringify({ version: 1, hub: HUB, secret: secretOf('ann'), token: 'ann' })),
  )
  await eventually(() => server.pages.counts.pages).toBe(1)
  handler.receive(encodeNumbered(KIND.join, 1, topicOf('positions')))
  const other = await welcomed('bob')
  await other.join(topicOf('positions'))
  send = broken
  hub.stream('positions').publish({ n: 1 })
  expect((await other.next('frame')).topic).toBe(topicOf('positions'))
  expect(server.pages.counts).toMatchObject({ pages: 1, joins: 1 })
})
