import { memoryBus } from '@rivulet/memory'
import {
  createHub,
  type Message,
  type Stream,
  type StreamOptions,
  type Topic,
  type Transport,
  type TransportHost,
} from 'rivulet'
import { describe, expect, test, vi } from 'vitest'
import { Delivery } from '../src/delivery.ts'
import { FanOut } from '../src/fan-out.ts'
import { Fifo } from '../src/fifo.ts'
import { Counters } from '../src/ledger.ts'
import { Message as MessageClass } from '../src/message.ts'
import { passUntil, stopTime, tick } from './support/fake-time.ts'
import { expectLaws } from './support/ledger-laws.ts'

stopTime()

function streamOf(options: StreamOptions = { limit: false }): Stream<{ n: number }, { n: number }> {
  return createHub().stream<{ n: number }, { n: number }>('s', options as object)
}

/** Quiet: the errors that a test makes on purpose go to a listener. */
function errorsOf(stream: Stream<never, never>): unknown[] {
  const errors: unknown[] = []
  stream.on('error', (error) => errors.push(error))
  return errors
}

describe('delivery', () => {
  test('calls local subscribers synchronously, in the order in which they subscribed, before publish returns', () => {
    const stream = streamOf()
    const calls: string[] = []
    for (const name of ['a', 'b', 'c']) stream.subscribe(({ data }) => calls.push(name + data.n))
    stream.publish({ n: 1 })
    expect(calls).toEqual(['a1', 'b1', 'c1'])
    expect(stream.tryPublish({ n: 2 }).ok).toBe(true)
    expect(calls).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'c2'])
  })

  test('hands every subscriber the very message that publish returns, marked as local', () => {
    const stream = streamOf()
    const seen: unknown[] = []
    stream.subscribe((message) => seen.push(message))
    stream.subscribe((message) => seen.push(message))
    const message = stream.publish({ n: 1 })
    expect(seen).toEqual([message, message])
    expect(seen[0]).toBe(message)
    expect(message.isLocal).toBe(true)
  })

  // RELIABILITY 28.
  test('shows a late subscriber nothing of what was published before', () => {
    const stream = streamOf()
    stream.publish({ n: 1 })
    const seen: number[] = []
    stream.subscribe(({ data }) => seen.push(data.n))
    expect(seen).toEqual([])
    stream.publish({ n: 2 })
    expect(seen).toEqual([2])
  })

  // RELIABILITY 43.
  test('lets no subscriber change what the next one sees, nor the publisher what was published', () => {
    const stream = streamOf()
    const data = { n: 1, deep: { list: [1] } }
    const thrown: unknown[] = []
    stream.subscribe((message) => {
      const loose = message.data as unknown as { n: number; deep: { list: number[] } }
      for (const change of [() => loose.deep.list.push(2), () => Object.assign(loose, { n: 9 })]) {
        try {
          change()
        } catch (error) {
          thrown.push(error)
        }
      }
      data.deep.list.push(7)
    })
    const seen: unknown[] = []
    stream.subscribe((message) => seen.push(message.data))
    stream.publish(data)
    expect(seen).toEqual([{ n: 1, deep: { list: [1] } }])
    expect(thrown.length).toBe(2)
  })

  // RELIABILITY 42.
  test('takes the same function twice as two subscribers, and a second unsubscribe as nothing', () => {
    const stream = streamOf()
    const listener = vi.fn()
    const [first, second] = [stream.subscribe(listener), stream.subscribe(listener)]
    stream.publish({ n: 1 })
    expect(listener).toHaveBeenCalledTimes(2)
    first.unsubscribe()
    first.unsubscribe()
    expect([first.closed, second.closed]).toEqual([true, false])
    stream.publish({ n: 2 })
    expect(listener).toHaveBeenCalledTimes(3)
    expect(stream.ledger().subscribers).toBe(1)
  })

  test('refuses a listener that is no function', () => {
    expect(() => streamOf().subscribe({} as never)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS' }),
    )
  })

  test('unsubscribes at the end of a using block, where the runtime has the symbol', () => {
    const stream = streamOf()
    const listener = vi.fn()
    stream.subscribe(listener)[Symbol.dispose]()
    stream.publish({ n: 1 })
    expect(listener).not.toHaveBeenCalled()
  })

  test('unsubscribes at an abort, and gives a closed subscription for a signal that has aborted', () => {
    const stream = streamOf()
    const controller = new AbortController()
    const listener = vi.fn()
    const subscription = stream.subscribe(listener, { signal: controller.signal })
    stream.publish({ n: 1 })
    controller.abort()
    stream.publish({ n: 2 })
    expect(listener).toHaveBeenCalledTimes(1)
    expect(subscription.closed).toBe(true)
    expect(stream.subscribe(listener, { signal: controller.signal }).closed).toBe(true)
    expect(stream.ledger().subscribers).toBe(0)
  })

  test('puts one abort listener on a signal, however many subscribers share it, and takes it off at last', () => {
    const stream = streamOf()
    const controller = new AbortController()
    const { signal } = controller
    const added = vi.spyOn(signal, 'addEventListener')
    const removed = vi.spyOn(signal, 'removeEventListener')
    const listener = vi.fn()
    const subscriptions = Array.from({ length: 1000 }, () => stream.subscribe(listener, { signal }))
    expect(added).toHaveBeenCalledTimes(1)
    for (const subscription of subscriptions.slice(1)) subscription.unsubscribe()
    expect(removed).not.toHaveBeenCalled()
    subscriptions[0]?.unsubscribe()
    expect(removed).toHaveBeenCalledTimes(1)
    controller.abort()
    stream.publish({ n: 1 })
    expect(listener).not.toHaveBeenCalled()
  })
})

describe('a publish inside a subscriber', () => {
  // RELIABILITY 39.
  test('returns before its delivery, and every subscriber sees one and the same order', () => {
    const stream = streamOf()
    const seen: number[][] = [[], [], []]
    const log: string[] = []
    stream.subscribe(({ data }) => {
      seen[0]?.push(data.n)
      if (data.n === 1) {
        const message = stream.publish({ n: 2 })
        log.push(`returned ${message.data.n} when the others had seen ${JSON.stringify(seen)}`)
        stream.publish({ n: 3 })
      }
    })
    stream.subscribe(({ data }) => seen[1]?.push(data.n))
    stream.subscribe(({ data }) => seen[2]?.push(data.n))
    stream.publish({ n: 1 })
    expect(seen).toEqual([
      [1, 2, 3],
      [1, 2, 3],
      [1, 2, 3],
    ])
    expect(log).toEqual(['returned 2 when the others had seen [[1],[],[]]'])
  })

  test('is checked, counted and snapshotted at the call', () => {
    const stream = streamOf({ limit: { ratePerSecond: 0, burst: 2 } })
    const seen: number[] = []
    const outcomes: unknown[] = []
    stream.subscribe(({ data }) => {
      seen.push(data.n)
      if (data.n !== 1) return
      const next = { n: 2 }
      outcomes.push(
        stream.tryPublish({ n: 1n } as never),
        stream.tryPublish(next),
        stream.tryPublish({ n: 3 }),
      )
      next.n = 99
      expectLaws(stream.ledger())
      outcomes.push(stream.ledger().accepted)
    })
    stream.publish({ n: 1 })
    expect(seen).toEqual([1, 2])
    expect(outcomes).toMatchObject([{ code: 'INVALID_DATA' }, { ok: true }, { code: 'RATE_LIMITED' }, 2])
    expect(stream.ledger().listenerErrors).toBe(0)
  })

  test('is refused past maxWaiting, and what was taken before is delivered', () => {
    const stream = streamOf({ limit: false, maxWaiting: 3 })
    const seen: number[] = []
    const codes: string[] = []
    stream.subscribe(({ data }) => {
      seen.push(data.n)
      if (data.n > 0) return
      for (let n = 1; n <= 5; n++) {
        const result = stream.tryPublish({ n })
        if (!result.ok) codes.push(result.code)
      }
    })
    stream.publish({ n: 0 })
    expect(seen).toEqual([0, 1, 2, 3])
    expect(codes).toEqual(['WAITING_LINE_FULL', 'WAITING_LINE_FULL'])
    expect(stream.tryPublish({ n: 9 }).ok).toBe(true)
    expectLaws(stream.ledger())
  })

  test('with maxWaiting 0 is refused always', async () => {
    const stream = streamOf({ limit: false, maxWaiting: 0 })
    const codes: unknown[] = []
    stream.subscribe(({ data }) => {
      if (data.n > 0) return
      codes.push(stream.tryPublish({ n: 1 }))
      void stream.publishWhenReady({ n: 1 }).catch(({ code }) => codes.push({ code }))
      try {
        stream.publishLatest({ n: 1 })
      } catch (error) {
        codes.push(error)
      }
    })
    stream.publish({ n: 0 })
    await tick()
    expect(codes).toMatchObject(Array(3).fill({ code: 'WAITING_LINE_FULL' }))
    expect(stream.ledger()).toMatchObject({ accepted: 1, refused: { waitingLineFull: 3 }, listenerErrors: 0 })
  })

  test('of another stream is delivered at once, since that stream runs no fan-out', () => {
    const hub = createHub()
    const [a, b] = [hub.stream('a'), hub.stream('b')]
    const log: string[] = []
    a.subscribe(() => {
      log.push('a in')
      b.publish({})
      log.push('a out')
    })
    b.subscribe(() => log.push('b'))
    a.publish({})
    expect(log).toEqual(['a in', 'b', 'a out'])
  })
})

describe('two streams that echo each other', () => {
  function echo(options: StreamOptions, times = 1) {
    const hub = createHub({ nowMs: () => 0 })
    const [a, b] = ['a', 'b'].map((name) => hub.stream(name, options)) as [Stream, Stream]
    const codes = new Set<string>()
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      from.subscribe(() => {
        for (let time = 0; time < times; time++) {
          const result = to.tryPublish({})
          if (!result.ok) codes.add(result.code)
        }
      })
    }
    a.publish({})
    expectLaws(hub.ledger())
    return { codes: [...codes], accepted: hub.ledger().accepted, errors: hub.ledger().listenerErrors }
  }

  test('end at the limiter', () => {
    expect(echo({ limit: { ratePerSecond: 30, burst: 30 } })).toEqual({
      codes: ['RATE_LIMITED'],
      accepted: 60,
      errors: 0,
    })
  })

  test('without a limiter end at WAITING_LINE_FULL, never in the stack', () => {
    expect(echo({ limit: false, maxWaiting: 5000 })).toMatchObject({
      codes: ['WAITING_LINE_FULL'],
      errors: 0,
    })
  })

  test('without a limiter end at WAITING_LINE_FULL when each answers twice, never in the heap', () => {
    const { codes, accepted, errors } = echo({ limit: false, maxWaiting: 100 }, 2)
    expect({ codes, errors }).toEqual({ codes: ['WAITING_LINE_FULL'], errors: 0 })
    expect(accepted).toBeLessThan(100_000)
  })

  test('and a stream that echoes itself ends there too', () => {
    const stream = streamOf({ limit: false, maxWaiting: 50 })
    let count = 0
    stream.subscribe(() => {
      count++
      stream.tryPublish({ n: count })
    })
    stream.publish({ n: 0 })
    expect(count).toBe(51)
    expect(stream.ledger().refused.waitingLineFull).toBe(1)
  })
})

describe('a subscriber that throws', () => {
  // RELIABILITY 37, 38.
  test('hurts nobody: the others are called and the publisher does not see it', async () => {
    const stream = streamOf()
    const errors = errorsOf(stream as never)
    const seen: number[] = []
    stream.subscribe(() => {
      throw new Error('thrown')
    })
    stream.subscribe(async () => {
      throw new Error('rejected')
    })
    stream.subscribe(({ data }) => seen.push(data.n))
    for (let n = 0; n < 10; n++) stream.publish({ n })
    await tick()
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(stream.ledger().listenerErrors).toBe(20)
    expect(errors.length).toBe(20)
  })

  test('is counted in a message from another process as well, which keeps coming', async () => {
    const bus = memoryBus()
    const [here, there] = [1, 2].map(() => createHub({ transport: bus.transport() }))
    await Promise.all([here?.ready(), there?.ready()])
    const stream = here?.stream('s') as Stream
    const errors = errorsOf(stream as never)
    const heard: unknown[] = []
    const throws = stream.subscribe(() => {
      throw new Error('remote')
    })
    stream.subscribe((message) => heard.push(message.data))
    await throws.ready
    for (let n = 0; n < 10; n++) {
      there?.stream('s').publish({ n })
      await tick()
    }
    expect(heard.length).toBe(10)
    expect(errors.length).toBe(10)
    expect(stream.ledger()).toMatchObject({ delivered: 10, listenerErrors: 10 })
  })

  // RELIABILITY 76: the stream's listener, else the hub's, else the console, once a stream.
  test('goes to the error event of the stream, else of the hub, else to the console once a stream', () => {
    const console = vi.spyOn(globalThis.console, 'error').mockImplementation(() => {})
    const hub = createHub()
    const streams = ['a', 'b'].map((name) => hub.stream(name))
    for (const stream of streams) {
      stream.subscribe(() => {
        throw new Error(stream.name)
      })
    }
    for (const stream of [...streams, ...streams]) stream.publish({})
    expect(console).toHaveBeenCalledTimes(2)
    expect(console.mock.calls.map(([, error]) => String(error))).toEqual(['Error: a', 'Error: b'])
    const [ofHub, ofA]: unknown[][] = [[], []]
    hub.on('error', (error) => ofHub?.push(error))
    for (const stream of streams) stream.publish({})
    expect(ofHub?.map(String)).toEqual(['Error: a', 'Error: b'])
    streams[0]?.on('error', (error) => ofA?.push(error))
    for (const stream of streams) stream.publish({})
    expect(ofA?.map(String)).toEqual(['Error: a'])
    expect(ofHub?.map(String)).toEqual(['Error: a', 'Error: b', 'Error: b'])
    expect(console).toHaveBeenCalledTimes(2)
    console.mockRestore()
  })

  test('still rejects into the count when its stream is closed by then', async () => {
    const hub = createHub()
    hub.on('error', () => {})
    const stream = hub.stream('s')
    stream.subscribe(async () => {
      await tick()
      throw new Error('late')
    })
    stream.publish({})
    stream.close()
    await tick()
    await tick()
    expect(stream.ledger().listenerErrors).toBe(1)
    expect(hub.ledger().listenerErrors).toBe(1)
  })

  // RELIABILITY 35.
  test('or whose promise never settles holds nothing up', () => {
    const stream = streamOf()
    let count = 0
    stream.subscribe(() => {
      count++
      return new Promise(() => {})
    })
    for (let n = 0; n < 10_000; n++) stream.publish({ n })
    expect(count).toBe(10_000)
  })
})

describe('the end of the stack', () => {
  /** Calls `act` ever closer to the end of the stack, from where there is none left on. */
  function atTheEndOfTheStack(act: () => void): void {
    let isOut = false
    const dive = (): void => {
      try {
        dive()
      } catch {
        isOut = true
      }
      if (!isOut) return
      try {
        act()
        isOut = false
      } catch {}
    }
    dive()
  }

  test('inside a subscriber does not leave the stream dead', () => {
    const stream = streamOf()
    const errors = errorsOf(stream as never)
    const seen: number[] = []
    const dive = (): void => dive()
    stream.subscribe(({ data }) => data.n % 2 && dive())
    stream.subscribe(({ data }) => seen.push(data.n))
    for (let n = 0; n < 10; n++) stream.publish({ n })
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(errors.length).toBe(5)
    expectLaws(stream.ledger())
  })

  test('wherever publishing meets it leaves the stream alive, in order, and its ledger true', () => {
    const stream = streamOf()
    let isSteep = true
    const seen: number[] = []
    stream.subscribe(({ data }) => isSteep && data.n % 7 === 0 && stream.tryPublish({ n: -1 }))
    stream.subscribe(({ data }) => data.n >= 0 && seen.push(data.n))
    let n = 0
    for (let round = 0; round < 300; round++) atTheEndOfTheStack(() => stream.publish({ n: n++ }))
    isSteep = false
    expectLaws(stream.ledger())
    expect(seen).toEqual([...seen].sort((a, b) => a - b))
    seen.length = 0
    const message: Message = stream.publish({ n: n + 1 })
    expect(seen).toEqual([n + 1])
    expect(message.isLocal).toBe(true)
    expect(stream.ledger().listenerErrors).toBeGreaterThanOrEqual(0)
  })

  test('leaves a stream that is linked to others alive', async () => {
    const bus = memoryBus()
    const [here, there] = [1, 2].map(() => createHub({ transport: bus.transport() }))
    const [from, to] = [here, there].map((hub) => hub?.stream('s', { limit: false }) as Stream)
    await Promise.all([here?.ready(), there?.ready()])
    const heard: unknown[] = []
    await to?.subscribe((message) => heard.push(message.data)).ready
    for (let round = 0; round < 300; round++) atTheEndOfTheStack(() => from?.publish({}))
    await tick()
    expectLaws((from as Stream).ledger())
    heard.length = 0
    from?.publish({ last: true })
    await tick()
    expect(heard.at(-1)).toEqual({ last: true })
  })

  test('takes back what publish counted before it threw, on a local and on a linked hub', async () => {
    const linked = createHub({ transport: memoryBus().transport() })
    await linked.ready()
    for (const hub of [createHub(), linked]) {
      const stream = hub.stream('s')
      const emit = vi.spyOn(FanOut.prototype, 'emit').mockImplementationOnce(() => {
        throw new RangeError('Maximum call stack size exceeded')
      })
      expect(() => stream.publish({})).toThrow(RangeError)
      emit.mockRestore()
      expect(stream.ledger()).toMatchObject({ attempts: 0, accepted: 0, local: 0, inFlight: 0 })
      stream.publish({})
      expect(stream.ledger()).toMatchObject({ attempts: 1, accepted: 1 })
    }
  })

  /** Delivers 1, whose subscriber publishes 2, 3 and 4. */
  function chained(passes: (n: number) => void) {
    const passed: number[] = []
    const counters = new Counters()
    counters.inFlight = 4
    const delivered = ({ data }: MessageClass) => {
      const { n } = data as { n: number }
      passes(n)
      passed.push(n)
    }
    const delivery = new Delivery(new FanOut(() => {}), counters, 10, delivered)
    const deliver = (n: number) => {
      delivery.deliver(new MessageClass({ n }, true, '0'.repeat(16), n), {}, 0)
    }
    const seat = { index: -1, joined: () => {}, end: () => {} }
    delivery.fanOut.add(seat, ({ data }) => {
      if ((data as { n: number }).n === 1) for (const n of [2, 3, 4]) deliver(n)
    })
    return { passed, counters, delivery, deliver }
  }

  test('counts what waited and could not be passed on as failed, and spares the others', () => {
    const { passed, counters, deliver } = chained((n) => {
      if (n === 2) throw new RangeError('Maximum call stack size exceeded')
    })
    deliver(1)
    expect(passed).toEqual([1, 3, 4])
    expect(counters).toMatchObject({ inFlight: 3, lost: { failed: 1 } })
  })

  test('counts nothing of what came from elsewhere, which was counted when it came', () => {
    const { passed, counters, delivery, deliver } = chained((n) => {
      if (n === 9) throw new RangeError('Maximum call stack size exceeded')
    })
    const seat = { index: -1, joined: () => {}, end: () => {} }
    delivery.fanOut.add(seat, ({ data }) => {
      const { n } = data as { n: number }
      if (n === 1) delivery.deliver(new MessageClass({ n: 9 }, false, 'f'.repeat(16), 1), undefined, 0)
    })
    deliver(1)
    expect(passed).toEqual([1, 2, 3, 4])
    expect(counters).toMatchObject({ inFlight: 4, lost: { failed: 0 } })
  })

  test('lets what it left in the queue go first the next time, in order, and once', () => {
    const { passed, counters, delivery, deliver } = chained(() => {})
    vi.spyOn(Fifo.prototype, 'shift').mockImplementationOnce(() => {
      throw new RangeError('Maximum call stack size exceeded')
    })
    deliver(1)
    expect(passed).toEqual([1])
    expect(delivery.isFull).toBe(false)
    deliver(5)
    deliver(6)
    expect(passed).toEqual([1, 2, 3, 4, 5, 6])
    expect(counters).toMatchObject({ inFlight: 4, lost: { failed: 0 } })
  })

  test.each<[string, boolean, StreamOptions, (stream: Stream) => void]>([
    ['nested publishes', true, {}, (stream) => stream.subscribe(() => nested(stream))],
    ['listeners of messagePublished', true, {}, (stream) => stream.on('messagePublished', () => {})],
    ['listeners of lost', false, { batch: false }, (stream) => stream.on('lost', () => {})],
  ])('leaves nothing in flight for ever, and no count below zero, with %s', async (_, isUp, options, use) => {
    const bus = memoryBus()
    const hub = createHub({ transport: bus.transport() })
    if (isUp) await hub.ready()
    const stream = hub.stream('s', { limit: false, ...options })
    stream.on('error', () => {})
    use(stream as Stream)
    for (let round = 0; round < 300; round++) {
      atTheEndOfTheStack(() => stream.publish({ n: 0 }))
      if (round % 30 === 0) await tick()
      expectLaws(stream.ledger())
    }
    stream.publish({})
    await passUntil(hub.flush())
    expectLaws(stream.ledger())
    expect(stream.ledger().inFlight).toBe(0)
  })

  function nested(stream: Stream): void {
    if (!stream.closed && nestedLeft-- > 0) stream.publish({ n: 1 })
    else nestedLeft = 3
  }
  let nestedLeft = 3

  test('is met by a chain of thousands of streams without harm to any of them', () => {
    const hub = createHub()
    hub.on('error', () => {})
    const chain = Array.from({ length: 5000 }, (_, nth) => hub.stream(`s${nth}`))
    let isChained = true
    for (const [nth, stream] of chain.entries()) {
      stream.subscribe(() => isChained && chain[nth + 1]?.publish({}))
    }
    chain[0]?.publish({})
    isChained = false
    expect(hub.ledger().accepted).toBeGreaterThan(100)
    expectLaws(hub.ledger())
    for (const stream of chain) expect(stream.tryPublish({}).ok).toBe(true)
    expectLaws(hub.ledger())
  })
})

describe('who comes and goes during a fan-out', () => {
  // RELIABILITY 41.
  test('sees the next message when it subscribes during one', () => {
    const stream = streamOf()
    const seen: string[] = []
    let isFirst = true
    stream.subscribe(({ data }) => {
      seen.push(`old ${data.n}`)
      if (isFirst) stream.subscribe((message) => seen.push(`new ${message.data.n}`))
      isFirst = false
    })
    stream.publish({ n: 1 })
    expect(seen).toEqual(['old 1'])
    stream.publish({ n: 2 })
    expect(seen).toEqual(['old 1', 'old 2', 'new 2'])
  })

  // RELIABILITY 40.
  test('is not called any more when it unsubscribed during one, by a sibling or by itself', () => {
    const stream = streamOf()
    const seen: string[] = []
    const itself = stream.subscribe(() => {
      seen.push('itself')
      itself.unsubscribe()
      sibling.unsubscribe()
    })
    const sibling = stream.subscribe(() => seen.push('sibling'))
    stream.subscribe(() => seen.push('last'))
    stream.publish({ n: 1 })
    stream.publish({ n: 2 })
    expect(seen).toEqual(['itself', 'last', 'last'])
  })

  test('is not called for what waits in the queue when it unsubscribed before', () => {
    const stream = streamOf()
    const seen: number[] = []
    stream.subscribe(({ data }) => {
      if (data.n !== 1) return
      stream.publish({ n: 2 })
      later.unsubscribe()
    })
    const later = stream.subscribe(({ data }) => seen.push(data.n))
    stream.publish({ n: 1 })
    expect(seen).toEqual([])
  })
})

describe('delivery and the transport', () => {
  async function link() {
    const bus = memoryBus()
    const [here, there] = [1, 2].map(() => createHub({ transport: bus.transport() }))
    await Promise.all([here?.ready(), there?.ready()])
    return [here?.stream('s', { limit: false }), there?.stream('s', { limit: false })] as [Stream, Stream]
  }

  test('hands over each message after its own fan-out, so the order elsewhere is the local order', async () => {
    const [here, there] = await link()
    const [local, remote]: unknown[][] = [[], []]
    await there.subscribe((message) => remote?.push((message.data as { n: number }).n)).ready
    here.subscribe(({ data }) => {
      const { n } = data as { n: number }
      if (n < 10) here.publish({ n: n * 2 + 1 })
      if (n < 10) here.publish({ n: n * 2 + 2 })
    })
    here.subscribe((message) => local?.push((message.data as { n: number }).n))
    here.publish({ n: 0 })
    await tick()
    expect(local?.length).toBe(21)
    expect(remote).toEqual(local)
    expect(there.ledger()).toMatchObject({ delivered: 21, missed: 0, reordered: 0 })
  })

  test('counts what came from elsewhere as delivered, isLocal false, and never sends it on', async () => {
    const [here, there] = await link()
    const flags: boolean[] = []
    await there.subscribe((message) => flags.push(message.isLocal)).ready
    await here.subscribe(() => {}).ready
    here.publish({})
    await tick()
    expect(flags).toEqual([false])
    expect(there.ledger()).toMatchObject({ received: 1, delivered: 1, attempts: 0, accepted: 0 })
    expect(here.ledger()).toMatchObject({ received: 0, accepted: 1 })
  })

  /** A stream, and how a transport hands it a message from elsewhere inside whatever runs. */
  async function atOnce(options: StreamOptions) {
    let host: TransportHost | undefined
    const transport: Transport = {
      name: 'at once',
      capabilities: { scope: 'process', echoes: false, ordered: true, maxFrameBytes: () => 1000 },
      open: async (given) => {
        host = given
      },
      send: () => 'sent',
      join: async () => {},
      leave: () => {},
      flush: async () => {},
      close: async () => {},
    }
    const hub = createHub({ transport })
    await hub.ready()
    const stream = hub.stream<{ n: number }>('s', options as object)
    const receive = (n: number) => host?.receive('rivulet/default/s' as Topic, `{"data":{"n":${n}}}`)
    return { stream, receive }
  }

  test('lets a message from elsewhere enter the same queue, so every subscriber sees one order', async () => {
    const { stream, receive } = await atOnce({})
    const seen: number[][] = [[], []]
    await stream.subscribe(({ data }) => {
      seen[0]?.push(data.n)
      if (data.n > 0) return
      stream.publish({ n: 1 })
      receive(2)
      stream.publish({ n: 3 })
    }).ready
    stream.subscribe(({ data }) => seen[1]?.push(data.n))
    stream.publish({ n: 0 })
    expect(seen).toEqual([
      [0, 1, 2, 3],
      [0, 1, 2, 3],
    ])
  })

  test('counts a message from elsewhere as delivered at its admission, before a subscriber is called', async () => {
    const { stream, receive } = await atOnce({})
    const delivered: number[] = []
    await stream.subscribe(({ data }) => {
      if (data.n === 1) receive(2)
      delivered.push(stream.ledger().delivered)
    }).ready
    receive(1)
    expect(delivered).toEqual([2, 2])
  })

  test('drops a message from elsewhere when the queue of the running fan-out is full, and counts it', async () => {
    const { stream, receive } = await atOnce({ maxWaiting: 1 })
    const seen: number[] = []
    await stream.subscribe(({ data }) => {
      seen.push(data.n)
      if (data.n > 0) return
      for (const n of [1, 2]) receive(n)
    }).ready
    stream.publish({ n: 0 })
    expect(seen).toEqual([0, 1])
    expect(stream.ledger()).toMatchObject({ received: 2, delivered: 1, dropped: { rateLimited: 1 } })
    expectLaws(stream.ledger())
  })

  // RELIABILITY 21.
  test('shows own messages once, from the local path only', async () => {
    const bus = memoryBus({ echoes: true })
    const hub = createHub({ transport: bus.transport() })
    await hub.ready()
    const stream = hub.stream('s')
    const seen: unknown[] = []
    await stream.subscribe((message) => seen.push(message.sid)).ready
    stream.subscribe((message) => seen.push(message.sid))
    const { sid } = stream.publish({})
    await tick()
    expect(seen).toEqual([sid, sid])
    expect(stream.ledger()).toMatchObject({ received: 1, delivered: 0, dropped: { echo: 1 } })
  })
})
