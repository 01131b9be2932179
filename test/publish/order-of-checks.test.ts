import { createHub, type Stream, type StreamOptions } from 'rivulet'
import { describe, expect, test, vi } from 'vitest'
import { expectLaws } from '../support/ledger-laws.ts'
import { schemaOf } from '../support/schemas.ts'

const cycle: Record<string, unknown> = {}
cycle.self = cycle

/** A stream that notes what is read, in its order; its schema refuses `{ bad: true }`. */
function scene(options: StreamOptions = {}) {
  const order: string[] = []
  const stream: Stream = createHub({ nowMs: () => 0 }).stream('order', {
    limit: { ratePerSecond: 1, burst: 2 },
    schema: schemaOf((value) => {
      order.push('schema')
      return (value as { bad?: boolean }).bad ? { issues: [{ message: 'is bad' }] } : { value }
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

/** Takes the only room that there is. */
const ONE = { limit: { ratePerSecond: 0, burst: 1 } } as const

describe('the order of checks', () => {
  test('is data, then schema, and room is taken last', () => {
    const { stream, data, order } = scene()
    stream.publish(data)
    expect(order).toEqual(['data', 'schema'])
    expect(stream.budget().available).toBe(1)
  })

  test('looks at closed first: data is not read, whatever else is wrong', () => {
    const { stream, data, order } = scene(ONE)
    stream.publish({})
    stream.close()
    order.length = 0
    for (const given of [data, cycle]) {
      expect(stream.tryPublish(given)).toMatchObject({ code: 'STREAM_CLOSED' })
    }
    expect(order).toEqual([])
  })

  test('looks at closed before a full queue', () => {
    const { stream } = scene({ maxWaiting: 0 })
    const codes: unknown[] = []
    const ask = () => {
      const result = stream.tryPublish({})
      codes.push(result.ok || result.code)
    }
    stream.subscribe(() => {
      ask()
      stream.close()
      ask()
    })
    stream.publish({})
    expect(codes).toEqual(['QUEUE_FULL', 'STREAM_CLOSED'])
  })

  test('looks at the room before the data: a flood that is refused reads nothing', () => {
    const { stream, data, order } = scene(ONE)
    stream.publish({})
    order.length = 0
    for (let nth = 0; nth < 100; nth++) {
      for (const given of [data, cycle, { n: 5n }]) {
        expect(stream.tryPublish(given)).toMatchObject({ code: 'RATE_LIMITED' })
      }
    }
    expect(order).toEqual([])
  })

  test('looks at the size before the schema', () => {
    const { stream, data, order } = scene({ maxBytes: 5 })
    expect(stream.tryPublish(data)).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' })
    expect(order).toEqual(['data'])
  })

  // RELIABILITY 54, 71
  test('takes no room for what is refused for another reason', () => {
    const { stream } = scene({ maxBytes: 20 })
    for (const bad of [[], cycle, { n: 5n }, { a: 'x'.repeat(200) }, { bad: true }]) {
      expect(stream.tryPublish(bad).ok).toBe(false)
      expect(stream.budget().available).toBe(2)
    }
    expect(stream.tryPublish({}).ok).toBe(true)
    expect(stream.ledger()).toMatchObject({
      accepted: 1,
      refused: { invalidData: 3, tooLarge: 1, schema: 1, rateLimited: 0 },
    })
    expectLaws(stream.ledger())
  })
})

describe('a stack that is exhausted while data is read', () => {
  test('is an error of the caller: nothing is published that was not read', () => {
    const stream = createHub().stream('deep', { limit: false })
    const heard: unknown[] = []
    stream.subscribe(({ data }) => heard.push(data))
    let data: object = { end: true }
    for (let depth = 0; depth < 98; depth++) data = { data }
    const thrown: unknown[] = []
    const dive = (): void => {
      try {
        dive()
      } catch {
        // At the bottom there is no room for the walk, and a little more each level up.
      }
      if (heard.length > 0) return
      try {
        stream.publish(data)
      } catch (error) {
        thrown.push(error)
      }
    }
    dive()
    expect(heard).toEqual([data])
    expect(thrown.length).toBeGreaterThan(0)
  })
})

/** Data that runs an action while it is read, in each way that there is. */
const readings: [string, (action: () => unknown) => object][] = [
  [
    'a getter',
    (action) => ({
      get a() {
        return void action()
      },
    }),
  ],
  [
    'a toJSON',
    (action) => ({
      toJSON() {
        action()
        return {}
      },
    }),
  ],
]

describe.each(readings)('user code that %s of the data runs', (_, reading) => {
  test('may close the stream: nothing is delivered, and the attempt is refused as closed', () => {
    const { stream } = scene()
    const heard = vi.fn()
    stream.subscribe(heard)
    expect(stream.tryPublish(reading(() => stream.close()))).toMatchObject({ code: 'STREAM_CLOSED' })
    expect(heard).not.toHaveBeenCalled()
    expect(stream.ledger()).toMatchObject({ attempts: 1, accepted: 0, refused: { closed: 1 } })
  })

  test('may publish: the room that this took is not taken twice', () => {
    const { stream } = scene(ONE)
    const inner: unknown[] = []
    const data = reading(() => inner.push(stream.tryPublish({ inner: true })))
    expect(stream.tryPublish(data)).toMatchObject({ code: 'RATE_LIMITED' })
    expect(inner).toMatchObject([{ ok: true }])
    expect(stream.ledger()).toMatchObject({ attempts: 2, accepted: 1, refused: { rateLimited: 1 } })
    expectLaws(stream.ledger())
  })

  test('sees a lawful ledger, as a subscriber does', () => {
    const { stream } = scene({ limit: false })
    const data = reading(() => expectLaws(stream.ledger()))
    stream.subscribe(() => expectLaws(stream.ledger()))
    stream.publish(data)
    stream.publishLatest(data)
    void stream.publishWhenReady(data)
    expect(stream.ledger()).toMatchObject({ accepted: 3, listenerErrors: 0 })
  })
})
