import { memoryBus } from '@rivulet/memory'
import { createHub, type Stream, type StreamOptions } from 'rivulet'
import { describe, expect, test, vi } from 'vitest'
import { stopTime, tick } from '../support/fake-time.ts'
import { expectLaws } from '../support/ledger-laws.ts'

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
  test('calls local subscribers synchronously, in order, before publish returns', () => {
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
  test('lets no subscriber change the message of the next one, nor the publisher', () => {
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
  test('takes one function twice as two subscribers, and a second unsubscribe as nothing', () => {
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
    expect(codes).toEqual(['QUEUE_FULL', 'QUEUE_FULL'])
    expect(stream.tryPublish({ n: 9 }).ok).toBe(true)
    expectLaws(stream.ledger())
  })

  test('finds the whole room of maxWaiting again in the next fan-out', () => {
    const stream = streamOf({ limit: false, maxWaiting: 2 })
    const seen: number[] = []
    stream.subscribe(({ data }) => {
      seen.push(data.n)
      for (let n = 1; n <= 2 && data.n === 0; n++) stream.publish({ n })
    })
    for (let times = 0; times < 2; times++) stream.publish({ n: 0 })
    expect(seen).toEqual([0, 1, 2, 0, 1, 2])
    expect(stream.ledger()).toMatchObject({ accepted: 6, listenerErrors: 0 })
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
    expect(codes).toMatchObject(Array(3).fill({ code: 'QUEUE_FULL' }))
    expect(stream.ledger()).toMatchObject({ accepted: 1, refused: { queueFull: 3 }, listenerErrors: 0 })
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
  /** An echo without an end fails then, and does not hang. */
  const MOST_CALLS = 100_000

  function echo(options: StreamOptions, times = 1) {
    const hub = createHub({ nowMs: () => 0 })
    const [a, b] = ['a', 'b'].map((name) => hub.stream(name, options)) as [Stream, Stream]
    const codes = new Set<string>()
    let calls = 0
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      from.subscribe(() => {
        calls++
        for (let time = 0; time < times && calls < MOST_CALLS; time++) {
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

  test('without a limiter end at QUEUE_FULL, never in the stack', () => {
    expect(echo({ limit: false, maxWaiting: 5000 })).toMatchObject({
      codes: ['QUEUE_FULL'],
      errors: 0,
    })
  })

  test('without a limiter end at QUEUE_FULL when each answers twice, never in the heap', () => {
    const { codes, accepted, errors } = echo({ limit: false, maxWaiting: 100 }, 2)
    expect({ codes, errors }).toEqual({ codes: ['QUEUE_FULL'], errors: 0 })
    expect(accepted).toBeLessThan(100_000)
  })

  test('and a stream that echoes itself ends there too', () => {
    const stream = streamOf({ limit: false, maxWaiting: 50 })
    let count = 0
    stream.subscribe(() => {
      count++
      if (count < MOST_CALLS) stream.tryPublish({ n: count })
    })
    stream.publish({ n: 0 })
    expect(count).toBe(51)
    expect(stream.ledger().refused.queueFull).toBe(1)
  })
})

describe('a subscriber that throws', () => {
  // RELIABILITY 37, 38.
  test('does not affect the others, nor the publisher', async () => {
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

  // RELIABILITY 76: the stream's listener, else the hub's, else the console, once a stream.
  test('goes to the error event of the stream, else of the hub, else to the console', () => {
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
    const failed = (name: string) => ({
      code: 'LISTENER_FAILED',
      message: `A subscriber threw: ${name} (stream "${name}" of hub "default")`,
      stream: name,
      cause: new Error(name),
    })
    expect(console.mock.calls.map(([, error]) => error)).toMatchObject([failed('a'), failed('b')])
    const told = 'rivulet: no listener for the error event of the stream or the hub:'
    expect(console.mock.calls.map(([text]) => text)).toEqual([told, told])
    const [ofHub, ofA]: unknown[][] = [[], []]
    hub.on('error', (error) => ofHub?.push(error))
    for (const stream of streams) stream.publish({})
    expect(ofHub).toMatchObject([failed('a'), failed('b')])
    streams[0]?.on('error', (error) => ofA?.push(error))
    for (const stream of streams) stream.publish({})
    expect(ofA).toMatchObject([failed('a')])
    expect(ofHub).toMatchObject([failed('a'), failed('b'), failed('b')])
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

// DESIGN 7: an error of that user code; the stream stays usable, and nothing else is promised.
describe('a stack that overflows in user code', () => {
  const dive = (): void => dive()

  test('inside a subscriber is an error of that subscriber', () => {
    const stream = streamOf()
    const errors = errorsOf(stream as never)
    const seen: number[] = []
    stream.subscribe(({ data }) => data.n % 2 && dive())
    stream.subscribe(({ data }) => seen.push(data.n))
    for (let n = 0; n < 10; n++) stream.publish({ n })
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(errors.length).toBe(5)
    expectLaws(stream.ledger())
  })

  test('leaves the stream usable, wherever publishing meets it', async () => {
    const bus = memoryBus()
    const linked = createHub({ transport: bus.transport() })
    await linked.ready()
    for (const hub of [createHub(), linked]) {
      hub.on('error', () => {})
      const stream = hub.stream<{ n: number }>('s', { limit: false } as object)
      const seen: number[] = []
      stream.subscribe(({ data }) => data.n % 7 === 0 && stream.tryPublish({ n: 1 }))
      stream.subscribe(({ data }) => seen.push(data.n))
      for (let round = 0; round < 300; round++) atTheEndOfTheStack(() => stream.publish({ n: round }))
      stream.publish({ n: 1 })
      seen.length = 0
      stream.publish({ n: 8 })
      expect(seen).toEqual([8])
    }
  })

  test('in a chain of thousands of streams leaves each of them usable', () => {
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
    for (const stream of chain) expect(stream.tryPublish({}).ok).toBe(true)
  })

  /** Calls `act` ever closer to the end of the stack, from where there is none left on. */
  function atTheEndOfTheStack(act: () => void): void {
    let isOut = false
    const fall = (): void => {
      try {
        fall()
      } catch {
        isOut = true
      }
      if (!isOut) return
      try {
        act()
        isOut = false
      } catch {}
    }
    fall()
  }
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
  test('is not called once unsubscribed during a fan-out, by a sibling or by itself', () => {
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
