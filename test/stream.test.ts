import { inspect } from 'node:util'
import { createHub, type Message, type Stream, type StreamOptions } from 'rivulet'
import {
  bufferCount,
  firstValueFrom,
  from,
  map,
  observable,
  of,
  Subject,
  take,
  throwError,
  toArray,
} from 'rxjs'
import { describe, expect, test, vi } from 'vitest'
import { parseSid, sidOf } from '../src/message.ts'
import { stopTime, tick } from './support/fake-time.ts'
import { expectLaws } from './support/ledger-laws.ts'
import { schemaOf } from './support/schemas.ts'
import { ScriptedTransport } from './support/scripted-transport.ts'

stopTime()

const ONE_A_SECOND = { limit: { ratePerSecond: 1, burst: 1 } } as const

function open(options: StreamOptions = {}): Stream<{ n?: unknown }> {
  return createHub().stream('s', options) as Stream as Stream<{ n?: unknown }>
}

/** A stream of a hub on a transport that a test drives. */
function remote(options: StreamOptions = {}) {
  const transport = new ScriptedTransport()
  const hub = createHub({ transport })
  hub.on('error', () => {})
  return { transport, hub, stream: hub.stream('s', options) }
}

function numbers(stream: Stream<{ n?: unknown }>): unknown[] {
  const heard: unknown[] = []
  stream.subscribe(({ data }) => heard.push(data.n))
  return heard
}

describe('publish', () => {
  test('is synchronous: local subscribers have been called when it returns the message', () => {
    const stream = open()
    const heard: Message[] = []
    stream.subscribe((message) => heard.push(message))
    const message = stream.publish({ n: 1 })
    expect(heard).toEqual([message])
    expect(heard[0]).toBe(message)
    expect(message).toMatchObject({ data: { n: 1 }, isLocal: true })
  })

  test('hands the message to the transport, after the tick', async () => {
    const { stream, hub, transport } = remote()
    await hub.ready()
    stream.publish({ n: 1 })
    expect(transport.frames).toEqual([])
    await tick()
    expect(transport.frames).toMatchObject([{ data: { n: 1 } }])
  })

  test('throws a RivuletError when refused, and nobody hears of it', () => {
    const stream = open()
    const heard = numbers(stream)
    expect(() => stream.publish([] as never)).toThrow(expect.objectContaining({ code: 'INVALID_DATA' }))
    expect(heard).toEqual([])
    expect(stream.ledger()).toMatchObject({ attempts: 1, accepted: 0, refused: { invalidData: 1 } })
  })
})

describe('tryPublish', () => {
  test('gives the message, or a refusal as a value', () => {
    const stream = open(ONE_A_SECOND)
    const heard = numbers(stream)
    expect(stream.tryPublish({ n: 1 })).toMatchObject({
      ok: true,
      message: { data: { n: 1 }, isLocal: true },
    })
    expect(stream.tryPublish({ n: 2 })).toMatchObject({ ok: false, code: 'RATE_LIMITED', retryAfterMs: 1000 })
    expect(heard).toEqual([1])
  })
})

describe('publishWhenReady', () => {
  test('resolves at once when there is room, and waits its turn when there is none', async () => {
    const stream = open(ONE_A_SECOND)
    const heard = numbers(stream)
    expect((await stream.publishWhenReady({ n: 1 })).data).toEqual({ n: 1 })
    const waiting = [2, 3].map((n) => stream.publishWhenReady({ n }))
    vi.advanceTimersByTime(999)
    expect(heard).toEqual([1])
    vi.advanceTimersByTime(1)
    expect(heard).toEqual([1, 2])
    vi.advanceTimersByTime(1000)
    expect((await Promise.all(waiting)).map(({ data }) => data)).toEqual([{ n: 2 }, { n: 3 }])
  })

  test('checks and copies the data at the call', async () => {
    const stream = open(ONE_A_SECOND)
    stream.publish({})
    const data = { n: [1] }
    const waiting = stream.publishWhenReady(data)
    data.n.push(2)
    vi.advanceTimersByTime(1000)
    expect((await waiting).data).toEqual({ n: [1] })
    await expect(stream.publishWhenReady([] as never)).rejects.toMatchObject({ code: 'INVALID_DATA' })
  })

  test('rejects WAITING_LINE_FULL past maxWaiting', async () => {
    const stream = open({ ...ONE_A_SECOND, maxWaiting: 1 })
    stream.publish({})
    const waiting = stream.publishWhenReady({ n: 1 })
    await expect(stream.publishWhenReady({ n: 2 })).rejects.toMatchObject({
      code: 'WAITING_LINE_FULL',
      maxWaiting: 1,
    })
    vi.advanceTimersByTime(1000)
    expect((await waiting).data).toEqual({ n: 1 })
  })
})

describe('publishLatest', () => {
  test('sends now, or keeps the newest value of each key; what it replaces is conflated and its place kept', () => {
    const stream = open(ONE_A_SECOND)
    const heard = numbers(stream)
    expect(stream.publishLatest({ n: 'a1' }, { key: 'a' })?.data).toEqual({ n: 'a1' })
    expect(stream.publishLatest({ n: 'a2' }, { key: 'a' })).toBeUndefined()
    stream.publishLatest({ n: 'b1' }, { key: 'b' })
    stream.publishLatest({ n: 'a3' }, { key: 'a' })
    expect(stream.ledger()).toMatchObject({ conflated: 1, waiting: 2 })
    vi.advanceTimersByTime(2000)
    expect(heard).toEqual(['a1', 'a3', 'b1'])
    expectLaws(stream.ledger())
  })

  test('has one key for all when none is given, and throws like publish', () => {
    const stream = open(ONE_A_SECOND)
    const heard = numbers(stream)
    for (const n of [1, 2, 3]) stream.publishLatest({ n })
    vi.advanceTimersByTime(1000)
    expect(heard).toEqual([1, 3])
    expect(() => stream.publishLatest([] as never)).toThrow(expect.objectContaining({ code: 'INVALID_DATA' }))
  })
})

describe('subscribe', () => {
  test('takes functions only', () => {
    for (const listener of [undefined, null, {}, 'text']) {
      expect(() => open().subscribe(listener as never)).toThrow(
        expect.objectContaining({ code: 'INVALID_OPTIONS', message: 'subscribe takes a function.' }),
      )
    }
  })

  // RELIABILITY 28, 42
  test('shows messages from now on, each subscription for itself, until it is unsubscribed, twice or not', () => {
    const stream = open()
    stream.publish({ n: 0 })
    const heard: unknown[] = []
    const listener = ({ data }: Message) => heard.push((data as { n: number }).n)
    const [first, second] = [stream.subscribe(listener), stream.subscribe(listener)]
    stream.publish({ n: 1 })
    expect([first.closed, second.closed]).toEqual([false, false])
    first.unsubscribe()
    first.unsubscribe()
    expect([first.closed, second.closed]).toEqual([true, false])
    stream.publish({ n: 2 })
    second[Symbol.dispose]()
    stream.publish({ n: 3 })
    expect(heard).toEqual([1, 1, 2])
    expect(stream.ledger().subscribers).toBe(0)
  })

  test('gives a ready that resolves at once without a transport, and is made when it is read', async () => {
    const subscription = open().subscribe(() => {})
    await subscription.ready
    expect(subscription.ready).toBe(subscription.ready)
  })

  test('gives a ready that resolves when the join is confirmed', async () => {
    const { stream, transport } = remote()
    transport.answers.join = 'hang'
    const settled = vi.fn()
    const { ready } = stream.subscribe(() => {})
    ready.then(settled)
    await tick()
    expect(transport.joins).toHaveLength(1)
    expect(settled).not.toHaveBeenCalled()
    transport.joins[0]?.resolve()
    await ready
  })

  test.each<[string, (scene: ReturnType<typeof remote>, end: () => void) => unknown, string]>([
    ['unsubscribe', (_, unsubscribe) => unsubscribe(), 'STREAM_CLOSED'],
    ['the end of the stream', ({ stream }) => stream.close(), 'STREAM_CLOSED'],
    ['the end of the hub', ({ hub }) => void hub.close(), 'HUB_CLOSED'],
    [
      'a join that is refused',
      ({ transport }) => transport.joins[0]?.reject(new Error('denied')),
      'TRANSPORT_FAILED',
    ],
  ])('gives a ready that rejects on %s, and is never an unhandled rejection', async (_, end, code) => {
    const scene = remote()
    scene.transport.answers.join = 'hang'
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    const subscription = scene.stream.subscribe(() => {})
    const { ready } = subscription
    await tick()
    end(scene, () => subscription.unsubscribe())
    await tick()
    process.off('unhandledRejection', unhandled)
    expect(unhandled).not.toHaveBeenCalled()
    await expect(ready).rejects.toMatchObject({ code })
  })

  test('gives a ready that rejects when it is read after the end', async () => {
    const subscription = open().subscribe(() => {})
    subscription.unsubscribe()
    await expect(subscription.ready).rejects.toMatchObject({
      code: 'STREAM_CLOSED',
      message: 'The subscription has ended.',
    })
  })
})

describe('messages$', () => {
  test('is one RxJS Observable whose subscribers sit in the fan-out, in the order in which they came', () => {
    const stream = open()
    const order: string[] = []
    stream.subscribe(() => order.push('first'))
    stream.messages$.subscribe(() => order.push('second'))
    stream.subscribe(() => order.push('third'))
    expect(stream.ledger().subscribers).toBe(3)
    stream.publish({})
    expect(order).toEqual(['first', 'second', 'third'])
    expect(stream.messages$).toBe(stream.messages$)
  })

  test('joins the topic only while somebody subscribes', async () => {
    const { stream, hub, transport } = remote()
    await hub.ready()
    const { messages$ } = stream
    await tick()
    expect(transport.joins).toHaveLength(0)
    const subscription = messages$.subscribe()
    await tick()
    expect(transport.joins).toHaveLength(1)
    subscription.unsubscribe()
    await tick()
    expect(transport.left).toHaveLength(1)
    expect(stream.ledger().subscribers).toBe(0)
  })

  test.each<[string, (stream: Stream<{ n?: unknown }>) => void]>([
    ['closed', (stream) => stream.close()],
    ['removed', (stream) => stream.remove()],
  ])('completes when the stream is %s', (_, end) => {
    const stream = open()
    const complete = vi.fn()
    const error = vi.fn()
    stream.messages$.subscribe({ complete, error })
    end(stream)
    expect(complete).toHaveBeenCalledTimes(1)
    expect(error).not.toHaveBeenCalled()
  })

  test('does not complete for who has unsubscribed', () => {
    const stream = open()
    const complete = vi.fn()
    stream.messages$.subscribe({ complete }).unsubscribe()
    stream.close()
    expect(complete).not.toHaveBeenCalled()
  })

  test('works with operators, and with from() by Symbol.observable', async () => {
    const stream = open()
    const pairs = firstValueFrom(
      stream.messages$.pipe(
        map(({ data }) => data.n),
        bufferCount(2),
      ),
    )
    const all = firstValueFrom(from(stream as never).pipe(take(2), toArray()))
    stream.publish({ n: 1 })
    stream.publish({ n: 2 })
    expect(await pairs).toEqual([1, 2])
    expect(await all).toHaveLength(2)
    expect(stream.ledger().subscribers).toBe(0)
    expect(Reflect.get(stream, observable).call(stream)).toBe(stream.messages$)
  })
})

describe('subject', () => {
  test('publishes what it is given; subscribing is messages$', () => {
    const stream = open()
    const heard = numbers(stream)
    const seen: unknown[] = []
    stream.subject.subscribe(({ data }) => seen.push(data.n))
    of({ n: 1 }, { n: 2 }).subscribe(stream.subject)
    stream.subject.next({ n: 3 })
    expect([heard, seen]).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ])
    expect(stream.subject).toBeInstanceOf(Subject)
    expect(stream.subject).toBe(stream.subject)
  })

  test('counts and emits a refusal instead of throwing it', () => {
    const stream = open()
    const refused = vi.fn()
    stream.on('refused', refused)
    of([] as never, { n: 1 }).subscribe(stream.subject)
    expect(refused.mock.calls).toMatchObject([[{ code: 'INVALID_DATA' }]])
    expect(stream.ledger()).toMatchObject({ attempts: 2, accepted: 1, refused: { invalidData: 1 } })
  })

  test('goes on when a source completes or fails', () => {
    const stream = open()
    const heard = numbers(stream)
    const ended = vi.fn()
    stream.subject.subscribe({ complete: ended, error: ended })
    of({ n: 1 }).subscribe(stream.subject)
    throwError(() => new Error('source')).subscribe(stream.subject)
    stream.subject.next({ n: 2 })
    expect(heard).toEqual([1, 2])
    expect(ended).not.toHaveBeenCalled()
  })

  test('pipes like any subject, and completes with the stream', () => {
    const stream = open()
    const complete = vi.fn()
    const seen: unknown[] = []
    stream.subject.pipe(map(({ data }) => data.n)).subscribe({ next: (n) => seen.push(n), complete })
    stream.publish({ n: 1 })
    stream.close()
    expect(seen).toEqual([1])
    expect(complete).toHaveBeenCalledTimes(1)
  })
})

describe('iterate', () => {
  async function drain(iterator: AsyncIterable<Message<{ n?: unknown }>>): Promise<unknown[]> {
    const read: unknown[] = []
    for await (const { data } of iterator) read.push(data.n)
    return read
  }

  test('subscribes at the call, not at the first next', async () => {
    const stream = open()
    const iterator = stream.iterate()
    stream.publish({ n: 1 })
    expect(await iterator.next()).toMatchObject({ done: false, value: { data: { n: 1 } } })
  })

  test('gives what is buffered first when the stream ends, then done', async () => {
    const stream = open()
    const iterator = stream[Symbol.asyncIterator]()
    for (const n of [1, 2, 3]) stream.publish({ n })
    stream.close()
    expect(await drain(iterator)).toEqual([1, 2, 3])
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
  })

  test('queues concurrent calls of next', async () => {
    const stream = open()
    const iterator = stream.iterate()
    const reads = [iterator.next(), iterator.next(), iterator.next()]
    stream.publish({ n: 1 })
    stream.publish({ n: 2 })
    stream.close()
    expect((await Promise.all(reads)).map(({ value }) => value?.data.n)).toEqual([1, 2, undefined])
  })

  test('settles return at once, even when idle, and a waiting next with it', async () => {
    const stream = open()
    const iterator = stream.iterate()
    const next = iterator.next()
    expect(await iterator.return?.()).toEqual({ done: true, value: undefined })
    expect(await next).toEqual({ done: true, value: undefined })
    expect(stream.ledger().subscribers).toBe(0)
  })

  test('ends its subscription when a loop breaks', async () => {
    const stream = open()
    const iterator = stream.iterate()
    stream.publish({ n: 1 })
    for await (const { data } of iterator) {
      expect(data).toEqual({ n: 1 })
      break
    }
    expect(stream.ledger().subscribers).toBe(0)
  })

  test.each<[string, object, unknown[], number]>([
    [
      '256 messages, the oldest giving way, when nothing is said',
      {},
      Array.from({ length: 256 }, (_, n) => n + 4),
      4,
    ],
    ['as many as asked', { buffer: 2 }, [258, 259], 258],
    ['the oldest', { buffer: 2, overflow: 'dropNewest' }, [0, 1], 258],
    ['the newest', { overflow: 'latest' }, [259], 259],
    [
      'the newest of each key',
      { overflow: 'latest', key: ({ data }: Message<{ n: number }>) => data.n % 3 },
      [258, 259, 257],
      257,
    ],
    [
      'the newest keys',
      { overflow: 'latest', buffer: 2, key: ({ data }: Message<{ n: number }>) => data.n },
      [258, 259],
      258,
    ],
  ])('holds %s, and counts what it drops', async (_, options, expected, drops) => {
    const stream = open({ limit: false })
    const iterator = stream.iterate(options)
    for (let n = 0; n < 260; n++) stream.publish({ n })
    stream.close()
    expect((await drain(iterator)).sort()).toEqual([...expected].sort())
    expect(stream.ledger().iteratorDrops).toBe(drops)
  })

  test.each<[object, string]>([
    [{ buffer: 0 }, 'buffer is a whole number from 1, not 0.'],
    [{ buffer: 1.5 }, 'buffer is a whole number from 1, not 1.5.'],
    [{ buffer: Infinity }, 'buffer is a whole number from 1, not Infinity.'],
    [{ overflow: 'drop' }, "overflow is 'dropOldest', 'dropNewest' or 'latest', not drop."],
    [{ overflow: {} }, 'not an object.'],
    [{ overflow: 'latest', key: 'n' }, 'key is a function of the message.'],
  ])('refuses the options %j: INVALID_OPTIONS, and subscribes nobody', (options, message) => {
    const stream = open()
    expect(() => stream.iterate(options)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringContaining(message) }),
    )
    expect(stream.ledger().subscribers).toBe(0)
  })
})

describe('on', () => {
  test('tells of each published message, of refusals and of errors', () => {
    const stream = open()
    const events: unknown[] = []
    const thrown = new Error('subscriber')
    stream
      .on('messagePublished', ({ message, isLocal }) => events.push([message.data, isLocal]))
      .on('refused', ({ code }) => events.push(code))
      .on('error', (error) => events.push(error))
    stream.subscribe(() => {
      throw thrown
    })
    stream.publish({ n: 1 })
    stream.tryPublish([] as never)
    expect(events).toEqual([thrown, [{ n: 1 }, true], 'INVALID_DATA'])
  })

  test('tells how many messages were lost, and why', async () => {
    const { stream } = remote()
    const lost = vi.fn()
    stream.on('lost', lost)
    stream.publish({ n: 1 })
    stream.publish({ n: 2 })
    await Promise.resolve()
    expect(lost.mock.calls).toEqual([[{ reason: 'offline', count: 2 }]])
  })

  test('calls nobody after off, and others still', () => {
    const stream = open()
    const [gone, kept] = [vi.fn(), vi.fn()]
    stream.on('refused', gone).on('refused', kept).off('refused', gone)
    stream.tryPublish([] as never)
    expect([gone.mock.calls.length, kept.mock.calls.length]).toEqual([0, 1])
  })

  test('lets a listener that throws hurt nobody: it is counted', () => {
    const stream = open()
    const [seen, errors] = [vi.fn(), vi.fn()]
    const thrown = new Error('listener')
    stream.on('error', errors)
    stream.on('messagePublished', () => {
      throw thrown
    })
    stream.on('messagePublished', seen)
    stream.publish({})
    expect(seen).toHaveBeenCalledTimes(1)
    expect(errors.mock.calls).toEqual([[thrown]])
    expect(stream.ledger().listenerErrors).toBe(1)
  })

  test('makes the error of a refusal only for a listener that reads it', () => {
    const stream = open()
    const codes: unknown[] = []
    stream.on('refused', (refusal) => codes.push(refusal.error.code))
    stream.tryPublish([] as never)
    expect(codes).toEqual(['INVALID_DATA'])
  })
})

describe('budget', () => {
  test('tells what may be published now, and the wait for one more', () => {
    const stream = open({ limit: { ratePerSecond: 10, burst: 3 } })
    expect(stream.budget()).toEqual({ available: 3, retryAfterMs: 0 })
    for (let count = 0; count < 3; count++) stream.publish({})
    expect(stream.budget()).toEqual({ available: 0, retryAfterMs: 100 })
    vi.advanceTimersByTime(100)
    expect(stream.budget()).toEqual({ available: 1, retryAfterMs: 0 })
  })

  test('is endless without a limit', () => {
    expect(open({ limit: false }).budget()).toEqual({ available: Infinity, retryAfterMs: 0 })
  })
})

describe('the time to live', () => {
  test('is none when nothing is said', () => {
    const stream = open()
    expect([stream.ttlSeconds, stream.expiresAt]).toEqual([0, null])
  })

  test('removes the stream, counted from when it was set, not moved by publishing', () => {
    const stream = open({ ttlSeconds: 10 })
    const removed = vi.fn()
    stream.on('removed', removed)
    expect(stream.expiresAt?.getTime()).toBe(Date.now() + 10_000)
    vi.advanceTimersByTime(6000)
    stream.publish({})
    vi.advanceTimersByTime(3999)
    expect(stream.closed).toBe(false)
    vi.advanceTimersByTime(1)
    expect(stream.closed).toBe(true)
    expect(removed.mock.calls).toEqual([[{ reason: 'expired', isLocal: true }]])
  })

  test('starts anew when it is set, and never comes when it is set to 0', () => {
    const stream = open({ ttlSeconds: 10 })
    vi.advanceTimersByTime(9000)
    stream.setTtl(10)
    vi.advanceTimersByTime(9000)
    expect([stream.closed, stream.ttlSeconds]).toEqual([false, 10])
    stream.setTtl(0)
    expect([stream.ttlSeconds, stream.expiresAt]).toEqual([0, null])
    vi.advanceTimersByTime(100_000_000)
    expect(stream.closed).toBe(false)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('may be a year, which is waited for in steps', () => {
    const stream = open({ ttlSeconds: 31_536_000 })
    vi.advanceTimersByTime(31_536_000_000 - 1)
    expect(stream.closed).toBe(false)
    vi.advanceTimersByTime(1)
    expect(stream.closed).toBe(true)
  })

  test.each([-1, 31_536_001, 1.5, Number.NaN, '5' as unknown as number])(
    'is not %s: INVALID_OPTIONS',
    (seconds) => {
      const stream = open({ ttlSeconds: 5 })
      expect(() => stream.setTtl(seconds)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }))
      expect(stream.ttlSeconds).toBe(5)
    },
  )

  test('is not the caller`s to move by the date that expiresAt gives', () => {
    const stream = open({ ttlSeconds: 5 })
    stream.expiresAt?.setTime(0)
    expect(stream.expiresAt?.getTime()).toBe(Date.now() + 5000)
  })

  test('ends here only: the other processes are not told', async () => {
    const { hub, stream, transport } = remote({ ttlSeconds: 5 })
    await hub.ready()
    vi.advanceTimersByTime(5000)
    await tick()
    expect(stream.closed).toBe(true)
    expect(transport.sent).toEqual([])
  })
})

describe('remove and close', () => {
  test('remove tells the other processes by a frame, after what was published; close does not', async () => {
    const { hub, transport } = remote()
    await hub.ready()
    hub.stream('closed').close()
    const stream = hub.stream('removed')
    const { sid } = stream.publish({ n: 1 })
    stream.remove()
    await tick()
    expect(transport.frames).toEqual([
      expect.objectContaining({ data: { n: 1 }, sid }),
      { removed: true, sid: `${sid.slice(0, -1)}2` },
    ])
  })
})

describe('a message', () => {
  test('is frozen, with sid, data and isLocal; its JSON is sid and data', () => {
    const message = open().publish({ n: 1 })
    expect(Object.isFrozen(message)).toBe(true)
    expect(message.sid).toMatch(/^TZ[0-9a-f]{32}$/)
    expect(JSON.stringify(message)).toBe(`{"sid":"${message.sid}","data":{"n":1}}`)
    expect(Object.keys(message)).toEqual(['data', 'isLocal'])
    expect(inspect(message)).toBe(inspect({ sid: message.sid, data: { n: 1 }, isLocal: true }))
  })

  test('has a sid that is made when it is read: the message holds none', () => {
    const message = open().publish({ n: 1 })
    const held = Reflect.ownKeys(message).map((key) => Reflect.get(message, key))
    expect(held).not.toContain(message.sid)
    expect(message.sid).toBe(message.sid)
  })

  test('has a sid of its own: origin of the stream, and its number', () => {
    const hub = createHub()
    const [a, b] = [hub.stream('a'), hub.stream('b')]
    const sids = [a.publish({}), a.publish({}), b.publish({})].map(({ sid }) => sid)
    expect(sids.map((sid) => Number.parseInt(sid.slice(18), 16))).toEqual([1, 2, 1])
    expect(sids[0]?.slice(0, 18)).toBe(sids[1]?.slice(0, 18))
    expect(sids[0]?.slice(0, 18)).not.toBe(sids[2]?.slice(0, 18))
  })
})

describe('a sid', () => {
  const origin = '0123456789abcdef'

  test('is TZ, 16 hex digits of the origin, 16 of the number, and is read back', () => {
    expect(sidOf(origin, 31)).toBe(`TZ${origin}000000000000001f`)
    expect(parseSid(sidOf(origin, Number.MAX_SAFE_INTEGER))).toEqual({
      origin,
      sequence: Number.MAX_SAFE_INTEGER,
    })
  })

  test.each([
    5,
    undefined,
    '',
    `TZ${origin}`,
    `tz${origin}0000000000000001`,
    `TZ${origin.toUpperCase()}0000000000000001`,
    `TZ${origin}0000000000000001x`,
    `TZ${origin}0000000000000000`,
    `TZ${origin}0020000000000000`,
    `TZ${origin}ffffffffffffffff`,
  ])('is not %s', (sid) => {
    expect(parseSid(sid)).toBeUndefined()
  })
})

describe('the order of checks', () => {
  /** Notes what is read, in its order. */
  function scene(options: StreamOptions = {}) {
    const order: string[] = []
    const stream = createHub({ nowMs: () => 0 }).stream('order', {
      limit: { ratePerSecond: 1, burst: 2 },
      schema: schemaOf((value) => {
        order.push('schema')
        return { value }
      }),
      ...options,
    })
    const data = {
      get a() {
        order.push('data')
        return 'x'
      },
    }
    return { stream, data, order }
  }

  test('is data, then schema, and room is taken last', () => {
    const { stream, data, order } = scene()
    stream.publish(data)
    expect(order).toEqual(['data', 'schema'])
    expect(stream.budget().available).toBe(1)
  })

  test('looks at closed first: data is not read, whatever else is wrong', () => {
    const { stream, data, order } = scene()
    stream.publish(data)
    stream.publish(data)
    stream.close()
    order.length = 0
    expect(stream.tryPublish(data)).toMatchObject({ code: 'STREAM_CLOSED' })
    expect(order).toEqual([])
  })

  test('looks at the room before the data: a flood that is refused reads nothing', () => {
    const { stream, data, order } = scene()
    stream.publish(data)
    stream.publish(data)
    order.length = 0
    for (let count = 0; count < 100; count++)
      expect(stream.tryPublish(data)).toMatchObject({ code: 'RATE_LIMITED' })
    expect(order).toEqual([])
    const bad = { n: 5n }
    expect(stream.tryPublish(bad)).toMatchObject({ code: 'RATE_LIMITED' })
  })

  test('looks at the size before the schema', () => {
    const { stream, data, order } = scene({ maxBytes: 5 })
    expect(stream.tryPublish(data)).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' })
    expect(order).toEqual(['data'])
  })

  // RELIABILITY 71
  test('takes no room for what is refused for another reason', () => {
    const refusing = scene({ schema: schemaOf(() => ({ issues: [{ message: 'no' }] })) }).stream
    const { stream } = scene({ maxBytes: 100 })
    for (const bad of [[], { n: 5n }, { a: 'x'.repeat(200) }]) stream.tryPublish(bad)
    refusing.tryPublish({})
    expect(stream.budget().available).toBe(2)
    expect(refusing.budget().available).toBe(2)
    expect(stream.ledger().refused).toMatchObject({ invalidData: 2, tooLarge: 1, rateLimited: 0 })
  })

  test('looks at closed again after the data was read, since that ran user code', () => {
    const { stream } = scene()
    const heard = vi.fn()
    stream.subscribe(heard)
    const data = {
      get a() {
        stream.close()
        return 1
      },
    }
    expect(stream.tryPublish(data)).toMatchObject({ code: 'STREAM_CLOSED' })
    expect(heard).not.toHaveBeenCalled()
    expectLaws(stream.ledger())
  })

  test('takes room only once when the data publishes while it is read', () => {
    const { stream } = scene({ limit: { ratePerSecond: 1, burst: 1 }, schema: undefined })
    const data = {
      get a() {
        return stream.tryPublish({ inner: true }).ok
      },
    }
    expect(stream.tryPublish(data)).toMatchObject({ code: 'RATE_LIMITED' })
    expect(stream.ledger()).toMatchObject({ attempts: 2, accepted: 1, refused: { rateLimited: 1 } })
    expectLaws(stream.ledger())
  })
})
