import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { NONE_DROPPED as NONE } from '../support/dropped.ts'
import { openScene, tick, wire } from '../support/remote-scene.ts'
import { schemaOf } from '../support/schemas.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

describe('the event dropped', () => {
  test('gathers the counts of a tick by reason', async () => {
    const scene = await openScene({ limit: { ratePerSecond: 1, burst: 3 } })
    const told: unknown[] = []
    scene.stream.on('dropped', (payload) => told.push(payload))
    for (let number = 1; number <= 10; number++) scene.receive(wire(number, 0))
    scene.receive(wire(1, 0))
    scene.receive(wire(2, 0))
    expect(told).toEqual([])
    await Promise.resolve()
    expect(told).toEqual([
      { reason: 'rateLimited', count: 6 },
      { reason: 'duplicate', count: 2 },
    ])
    scene.receive(wire(1, 0))
    await tick()
    expect(told.slice(2)).toEqual([{ reason: 'duplicate', count: 1 }])
    expect(scene.ledger.dropped).toEqual({ ...NONE, rateLimited: 6, duplicate: 3 })
  })

  test('reports to each stream its own, and nothing after the end', async () => {
    const scene = await openScene()
    const other = scene.hub.stream('other')
    await other.subscribe(() => {}).ready
    const told: unknown[] = []
    scene.stream.on('dropped', (payload) => told.push(['scene', payload]))
    other.on('dropped', (payload) => told.push(['other', payload]))
    scene.receive('junk')
    scene.transport.host.receive('rivulet/default/other' as never, 'junk')
    scene.transport.host.receive('rivulet/default/other' as never, 'junk')
    await tick()
    expect(told).toEqual([
      ['scene', { reason: 'malformed', count: 1 }],
      ['other', { reason: 'malformed', count: 2 }],
    ])
    scene.receive('junk')
    scene.stream.close()
    await tick()
    expect(told).toHaveLength(2)
  })

  test('tells a new listener of nothing that was dropped before it, in the same tick', async () => {
    const scene = await openScene()
    const told: unknown[] = []
    scene.receive('junk')
    scene.stream.on('dropped', (payload) => told.push(payload))
    scene.receive(wire(1, 0))
    scene.receive(wire(1, 0))
    await tick()
    expect(told).toEqual([{ reason: 'duplicate', count: 1 }])
  })
})

describe('the first message of another process that an own option keeps out', () => {
  const schema = z.object({ n: z.number() })

  test.each([
    ['limit', { limit: { ratePerSecond: 1, burst: 1 } }, 'RATE_LIMITED', () => wire(9, 0)],
    ['maxBytes', { maxBytes: 100 }, 'PAYLOAD_TOO_LARGE', () => ({ data: { text: 'x'.repeat(100) } })],
    ['schema', { schema }, 'SCHEMA_MISMATCH', () => ({ data: { n: 'text' } })],
  ] as const)('is one error of the stream that names %s', async (option, options, code, make) => {
    const scene = await openScene(options)
    const errors: unknown[] = []
    scene.stream.on('error', (error) => errors.push(error))
    for (let number = 1; number <= 2; number++) scene.receive(wire(number, 0))
    expect(errors).toEqual([])
    for (let count = 0; count < 3; count++) scene.receive(make())
    expect(errors).toMatchObject([{ code, stream: 'scene', hub: 'default' }])
    const value = { limit: '{"ratePerSecond":1,"burst":1,"scope":"stream","publishers":1}', maxBytes: '100' }
    const shown = { ...value, schema: 'a schema that refuses it' }[option]
    expect(String(errors[0])).toContain(
      `A message of another process was dropped: this process opened the stream with ${option} ${shown}; give it the publisher's ${option}.`,
    )
    expect(scene.errors).toEqual([])
  })

  test('is reported once a stream, whatever refuses the next ones, then on the next', async () => {
    const scene = await openScene({ schema, maxBytes: 100 })
    const keepOut = () => {
      scene.receive({ data: { n: 'text' } })
      scene.receive({ data: { n: 'x'.repeat(100) } })
    }
    keepOut()
    expect(scene.errors).toHaveLength(1)
    scene.stream.close()
    await scene.hub.stream('scene', { maxBytes: 100 }).subscribe(() => {}).ready
    keepOut()
    expect(scene.errors).toHaveLength(2)
  })

  test('is reported without a limit too, but not when the queue of a fan-out was full', async () => {
    const scene = await openScene({ schema, limit: false, maxWaiting: 1 })
    scene.stream.subscribe(({ data }) => {
      if (data.n === 1) for (const number of [2, 3]) scene.receive(wire(number, 0))
    })
    scene.receive(wire(1, 0))
    expect([scene.ledger.dropped.rateLimited, scene.errors]).toEqual([1, []])
    scene.receive({ data: { n: 'text' } })
    expect(scene.errors).toMatchObject([{ code: 'SCHEMA_MISMATCH' }])
  })

  test('is none when it is garbage, a repeat, an echo or stale', async () => {
    const scene = await openScene()
    const { sid } = scene.stream.publish({})
    scene.receive(wire(1, 0))
    await vi.advanceTimersByTimeAsync(10_000)
    for (const frame of ['junk', wire(1, 0), wire(2, 0), { data: {}, sid, t: 0 }]) scene.receive(frame)
    for (let count = 0; count < 100; count++) scene.receive('junk')
    expect(scene.errors).toEqual([])
    expect(scene.ledger.dropped.rateLimited).toBeGreaterThan(0)
  })
})

test('a schema that returns a promise is reported as INVALID_OPTIONS, once, here too', async () => {
  const scene = await openScene({ schema: schemaOf(async (value) => ({ value })) })
  for (let number = 1; number <= 3; number++) scene.receive(wire(number))
  expect(scene.errors).toMatchObject([{ code: 'INVALID_OPTIONS', stream: 'scene' }])
  expect(scene.ledger.dropped.schema).toBe(3)
})

test('a clock that closes the hub as a message is admitted: both ledgers count it', async () => {
  let closesAt = Infinity
  let reads = 0
  const scene = await openScene(
    {},
    {
      nowMs: () => {
        if (++reads === closesAt) void scene.hub.close()
        return performance.now()
      },
    },
  )
  closesAt = reads + 2
  scene.receive(wire(1))
  await tick()
  expect(scene.heard).toEqual([])
  expect(scene.ledger).toMatchObject({ received: 1, delivered: 0, dropped: { notJoined: 1 } })
  expect(scene.hub.ledger()).toMatchObject({ received: 1, delivered: 0, dropped: { notJoined: 1 } })
})
