import { memoryBus } from '@rivulet/memory'
import { type } from 'arktype'
import { Effect, Schema } from 'effect'
import { createHub, type Hub, type RivuletError, type StandardSchemaV1, type Stream } from 'rivulet'
import * as valibot from 'valibot'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'
import { tick } from '../support/fake-time.ts'
import { expectLaws } from '../support/ledger-laws.ts'
import { schemaOf } from '../support/schemas.ts'

const zodReading = z.object({
  at: z.iso.datetime().transform((text) => new Date(text)),
  celsius: z.number().default(20),
})
const valibotReading = valibot.object({
  at: valibot.pipe(
    valibot.string(),
    valibot.isoTimestamp(),
    valibot.transform((text) => new Date(text)),
  ),
  celsius: valibot.optional(valibot.number(), 20),
})
const arktypeReading = type({ '+': 'delete', at: 'string.date.iso.parse', celsius: 'number = 20' })
const effectReading = Schema.toStandardSchemaV1(
  Schema.Struct({
    at: Schema.DateFromString,
    celsius: Schema.Number.pipe(Schema.withDecodingDefaultKey(Effect.succeed(20))),
  }),
)
type Reading = StandardSchemaV1<object, { at: Date; celsius: number }>

/** A schema of each library for an object with a list of numbers. */
const LISTS = {
  zod: z.object({ a: z.array(z.number()) }),
  valibot: valibot.object({ a: valibot.array(valibot.number()) }),
  ArkType: type({ a: 'number[]' }),
  Effect: Schema.toStandardSchemaV1(Schema.Struct({ a: Schema.Array(Schema.Number) })),
} as Record<string, StandardSchemaV1<object>>

type Validate = (value: unknown) => unknown

/** Two hubs of one bus with a stream of that schema each; `heard` is what the second one's subscriber gets. */
async function twoProcesses(validate: Validate, other: Validate = validate) {
  const bus = memoryBus()
  const [here, there] = [validate, other].map((one) => {
    const hub = createHub({ transport: bus.transport() })
    onTestFinished(() => void hub.close())
    const errors: unknown[] = []
    hub.on('error', (error) => errors.push(error))
    return { hub, errors, stream: hub.stream('readings', { schema: schemaOf(one) }) }
  })
  if (!here || !there) throw new Error('unreachable')
  const heard: unknown[] = []
  await there.stream.subscribe(({ data }) => heard.push(data)).ready
  await here.hub.ready()
  return { here, there, heard }
}

/** Waits until what a hub published has arrived at the others of the bus. */
async function arrived(from: Hub): Promise<void> {
  await from.flush()
  await tick()
}

/** An object whose `then` is no promise's. */
function thenable(then: PropertyDescriptor): object {
  return Object.defineProperty({}, 'then', then)
}

function rethrow(error: Error): () => never {
  return () => {
    throw error
  }
}

describe.each([
  ['zod', zodReading],
  ['valibot', valibotReading],
  ['ArkType', arktypeReading],
  ['Effect', effectReading],
] as [string, Reading][])('a schema of %s', (library, schema) => {
  const open = () => createHub().stream('readings', { schema })

  test('gives subscribers its output: revived dates, stripped keys, defaults', () => {
    const stream = open()
    const heard: unknown[] = []
    stream.subscribe(({ data }) => heard.push(data))
    const message = stream.publish({ at: '2024-05-01T12:00:00Z', extra: true })
    expect(heard).toEqual([{ at: new Date('2024-05-01T12:00:00Z'), celsius: 20 }])
    expect(message.data).toBe(heard[0])
    expect(message.data.at.getUTCHours()).toBe(12)
  })

  test('gives an output that is frozen as far as plain objects and arrays reach', () => {
    const { data } = open().publish({ at: '2024-05-01T12:00:00Z' })
    expect(Object.isFrozen(data)).toBe(true)
    expect(Object.isFrozen(data.at)).toBe(false)
  })

  test('sees a published date as the string that JSON makes of it', () => {
    expect(open().publish({ at: new Date(0) }).data.at).toEqual(new Date(0))
  })

  test('refuses what does not match with SCHEMA_MISMATCH, the path, and its own issues', () => {
    const stream = open()
    const result = stream.tryPublish({ at: '2024-05-01T12:00:00Z', celsius: 'warm' })
    expect(result).toMatchObject({ ok: false, code: 'SCHEMA_MISMATCH' })
    if (result.ok) return
    expect(result.error.message).toMatch(/^The data does not match the stream's schema: .*\$\.celsius/)
    expect(result.error.issues).toHaveLength(1)
    expect(stream.ledger().refused.schema).toBe(1)
  })

  test('refuses a member of a list with the path of each other error, and its own issues', () => {
    const list = LISTS[library] as StandardSchemaV1<object>
    const result = createHub()
      .stream('lists', { schema: list })
      .tryPublish({ a: [1, 'two', 'three'] })
    const { code, path, issues, message, cause } = (result.ok ? {} : result.error) as RivuletError
    expect({ code, path, cause }).toEqual({ code: 'SCHEMA_MISMATCH', path: '$.a[1]', cause: undefined })
    const [first] = issues as readonly StandardSchemaV1.Issue[]
    expect(message).toContain(`${first?.message} at $.a[1]`)
  })

  test('may end the stream at a receiver: the message is not delivered, but counted', async () => {
    const bus = memoryBus()
    const [here, there] = [
      createHub({ transport: bus.transport() }),
      createHub({ transport: bus.transport() }),
    ]
    onTestFinished(() => void Promise.all([here.close(), there.close()]))
    const validate = (value: unknown) => {
      stream.close()
      return { value }
    }
    const stream: Stream<object, unknown> = there.stream('s', { schema: schemaOf(validate) })
    const listener = vi.fn()
    await stream.subscribe(listener).ready
    await here.ready()
    here.stream('s').publish({ n: 1 })
    await arrived(here)
    expect(there.ledger()).toMatchObject({ received: 1, delivered: 0, dropped: { notJoined: 1 } })
    expect(listener).not.toHaveBeenCalled()
    expectLaws(there.ledger())
  })

  test('runs at a receiver too: outputs are the same, the wire carries the input', async () => {
    const bus = memoryBus()
    const hubs = [1, 2, 3].map(() => createHub({ transport: bus.transport() }))
    onTestFinished(() => void Promise.all(hubs.map((hub) => hub.close())))
    const [here, there, raw] = hubs as [(typeof hubs)[0], (typeof hubs)[0], (typeof hubs)[0]]
    const options = { schema }
    const heard: unknown[] = []
    const carried: unknown[] = []
    await there.stream('readings', options).subscribe(({ data }) => heard.push(data)).ready
    await raw.stream('readings').subscribe(({ data }) => carried.push(data)).ready
    await here.ready()
    here.stream('readings', options).publish({ at: '2024-05-01T12:00:00Z', extra: 1 })
    await arrived(here)
    expect(carried).toHaveLength(1)
    expect(heard).toEqual([{ at: new Date('2024-05-01T12:00:00Z'), celsius: 20 }])
    expect(carried).toEqual([{ at: '2024-05-01T12:00:00Z', extra: 1 }])
    expect(Object.isFrozen(heard[0])).toBe(true)
  })
})

describe('a schema', () => {
  const open = (validate: (value: unknown) => unknown) =>
    createHub().stream('hand-made', { schema: schemaOf(validate) })

  test('runs once a message, with the frozen snapshot, between size and capacity check', () => {
    const seen: unknown[] = []
    const stream = createHub({ nowMs: () => 0 }).stream('order', {
      schema: schemaOf((value) => {
        seen.push([value, Object.isFrozen(value), stream.budget().available])
        return { value }
      }),
    }) as Stream
    stream.subscribe(() => {})
    stream.subscribe(() => {})
    stream.publish({ a: [undefined] })
    stream.tryPublish({ a: 'x'.repeat(5000) })
    expect(seen).toEqual([[{ a: [null] }, true, 30]])
    expect(stream.budget().available).toBe(29)
  })

  test('runs once a message for every verb, for a queued one at the call', async () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const asked: unknown[] = []
    const stream = createHub().stream<{ n: number }>('verbs', {
      limit: { ratePerSecond: 10, burst: 1 },
      schema: schemaOf((value) => {
        asked.push((value as { n: number }).n)
        return { value }
      }),
    } as object)
    const heard: number[] = []
    stream.subscribe(({ data }) => heard.push(data.n))
    stream.publish({ n: 1 })
    const waiting = stream.publishWhenReady({ n: 2 })
    for (const n of [3, 4]) stream.publishLatest({ n })
    expect(asked).toEqual([1, 2, 3, 4])
    await vi.advanceTimersByTimeAsync(300)
    await waiting
    stream.subject.next({ n: 5 })
    expect(heard).toEqual([1, 2, 4, 5])
    expect(asked).toEqual([1, 2, 3, 4, 5])
  })

  test('is asked once at the publisher and once at each receiver', async () => {
    const here = vi.fn((value: unknown) => ({ value }))
    const there = vi.fn((value: unknown) => ({ value }))
    const scene = await twoProcesses(here, there)
    scene.there.stream.subscribe(() => {})
    scene.here.stream.publish({ a: 1 })
    await arrived(scene.here.hub)
    expect(scene.heard).toHaveLength(1)
    expect([here.mock.calls, there.mock.calls]).toEqual([[[{ a: 1 }]], [[{ a: 1 }]]])
  })

  test('that refuses at a receiver drops the message there, counted, and told once', async () => {
    const scene = await twoProcesses(
      (value) => ({ value }),
      (value) => ((value as { a: number }).a === 1 ? { issues: [{ message: 'no' }] } : { value }),
    )
    for (const a of [1, 2, 1]) scene.here.stream.publish({ a })
    await arrived(scene.here.hub)
    expect(scene.heard).toEqual([{ a: 2 }])
    const ledger = scene.there.stream.ledger()
    expect([ledger.received, ledger.delivered, ledger.dropped.schema]).toEqual([3, 1, 2])
    expect(scene.there.errors).toMatchObject([
      { code: 'SCHEMA_MISMATCH', stream: 'readings', hub: 'default' },
    ])
    expectLaws(ledger)
  })

  test('that answers with what it was given costs no copy', () => {
    const given: unknown[] = []
    const stream = open((value) => {
      given.push(value)
      return { value }
    })
    const { data } = stream.publish({ a: { b: 1 } })
    expect(data).toEqual({ a: { b: 1 } })
    expect(data).toBe(given[0])
    expect(Object.isFrozen((data as { a: object }).a)).toBe(true)
  })

  test('may answer with anything: a primitive, an instance, a list', () => {
    const withHoles = Object.assign([0], { length: 3 })
    for (const value of [undefined, null, 5, 'text', new Map([[1, { a: 1 }]]), [1, [2]], withHoles]) {
      expect(open(() => ({ value })).publish({}).data).toEqual(value)
    }
  })

  test('has its output frozen through lists and cycles; instances stay as they are', () => {
    class Truck {
      driver = { name: 'Ada' }
    }
    const bare = Object.assign(Object.create(null), { inner: {} }) as { inner: object }
    const value: Record<string, unknown> = { list: [{ a: {} }], bare, truck: new Truck(), date: new Date(0) }
    value.self = value
    const data = open(() => ({ value })).publish({}).data as typeof value & { bare: typeof bare }
    expect(data).toEqual(value)
    expect(data.self).toBe(data)
    const list = data.list as [{ a: object }]
    for (const part of [data, list, list[0], list[0].a, data.bare, data.bare.inner])
      expect(Object.isFrozen(part)).toBe(true)
    expect(data.truck).toBe(value.truck)
    expect(data.date).toBe(value.date)
    for (const part of [data.truck, (data.truck as Truck).driver, data.date])
      expect(Object.isFrozen(part)).toBe(false)
  })

  // The first edition froze it in place.
  test('may return data of the application, which stays unfrozen', async () => {
    const owned = { list: [{ n: 1 }], seen: 0 }
    const scene = await twoProcesses(() => ({ value: owned }))
    const local: unknown[] = []
    scene.here.stream.subscribe(({ data }) => local.push(data))
    scene.here.stream.publish({ a: 1 })
    await arrived(scene.here.hub)
    owned.list.push({ n: 2 })
    owned.seen++
    for (const [data] of [local, scene.heard] as [{ list: object[] }][]) {
      expect(data).toEqual({ list: [{ n: 1 }], seen: 0 })
      expect([data, data.list, data.list[0]].every(Object.isFrozen)).toBe(true)
    }
    expect([owned, owned.list, owned.list[0]].some(Object.isFrozen)).toBe(false)
  })

  test('may answer with a list of hundreds of thousands', () => {
    const { data } = open(() => ({ value: new Array(300_000).fill(1) })).publish({})
    expect(Object.isFrozen(data)).toBe(true)
  })

  test.each<[string, Validate]>([
    ['a promise of a value', async (value) => ({ value })],
    ['a promise that rejects', () => Promise.reject(new Error('late'))],
    ['something with a then', () => thenable({ value: (resolve: (value: unknown) => void) => resolve({}) })],
    ['something whose then throws', () => thenable({ value: rethrow(new Error('then')) })],
  ])('that returns %s is refused with INVALID_OPTIONS at its first use', async (_, answer) => {
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    onTestFinished(() => void process.off('unhandledRejection', unhandled))
    const stream = open(answer)
    expect(() => stream.publish({})).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }))
    await new Promise((resolve) => setImmediate(resolve))
    expect(unhandled).not.toHaveBeenCalled()
    expectLaws(stream.ledger())
  })

  test('of zod that is asynchronous only now and then is refused then', () => {
    const schema = z.object({ a: z.number().refine(async () => true) })
    const stream = createHub().stream('async', { schema })
    expect(stream.tryPublish({ a: 1 })).toMatchObject({ code: 'INVALID_OPTIONS' })
  })

  test('that is asynchronous at a receiver drops the message there', async () => {
    const scene = await twoProcesses(
      (value) => ({ value }),
      async (value) => ({ value }),
    )
    scene.here.stream.publish({ a: 1 })
    await arrived(scene.here.hub)
    expect(scene.there.stream.ledger().dropped.schema).toBe(1)
    expect(scene.heard).toEqual([])
  })

  const thrown = new Error('validator')
  test.each<[string, Validate]>([
    ['throws', rethrow(thrown)],
    [
      'answers with issues that throw when they are read',
      () => ({
        get issues() {
          throw thrown
        },
      }),
    ],
    [
      'answers with an issue that throws',
      () => ({
        issues: [
          {
            get message() {
              throw thrown
            },
          },
        ],
      }),
    ],
    [
      'answers with a value that throws',
      () => ({
        get value() {
          throw thrown
        },
      }),
    ],
    [
      'answers with an output that throws',
      () => ({
        value: {
          get a() {
            throw thrown
          },
        },
      }),
    ],
    ['answers with a Proxy that throws', () => ({ value: new Proxy({}, { ownKeys: rethrow(thrown) }) })],
  ])('that %s is a SCHEMA_MISMATCH with the cause', (_, validate) => {
    const stream = open(validate)
    const result = stream.tryPublish({})
    expect(result).toMatchObject({ ok: false, code: 'SCHEMA_MISMATCH' })
    expect(result.ok === false && result.error.cause).toBe(thrown)
    expect(result.ok === false && result.error.message).toContain(
      "The data does not match the stream's schema: the validator threw.",
    )
    expectLaws(stream.ledger())
  })

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['true', true],
    ['a list', []],
    ['neither issues nor a value', {}],
    ['a then that throws when it is read', thenable({ get: rethrow(new Error('then')) })],
    ['issues that are no list', { issues: 5 }],
    ['an issue that is nothing', { issues: [null] }],
    ['an issue with a path of nothing', { issues: [{ message: 'm', path: [null] }] }],
  ])('that answers with %s is a SCHEMA_MISMATCH, here and at a receiver', async (_, answer) => {
    const stream = open(() => answer)
    expect(stream.tryPublish({})).toMatchObject({ ok: false, code: 'SCHEMA_MISMATCH' })
    expectLaws(stream.ledger())
    const scene = await twoProcesses(
      (value) => ({ value }),
      () => answer,
    )
    scene.here.stream.publish({ a: 1 })
    await arrived(scene.here.hub)
    expect(scene.there.stream.ledger().dropped.schema).toBe(1)
    expect(scene.heard).toEqual([])
  })

  test.each<[string, unknown, string]>([
    ['nothing', undefined, 'The validator returned no result.'],
    ['a text', 'text', 'The validator returned no result.'],
    ['a list', [], 'The validator returned neither issues nor a value.'],
    ['neither', {}, 'The validator returned neither issues nor a value.'],
    ['issues that are no list', { issues: 5 }, 'The validator returned issues that are no array.'],
  ])('that answers with %s is told so by the cause', (_, answer, message) => {
    const result = open(() => answer).tryPublish({})
    expect(result.ok === false && result.error.cause).toEqual(new TypeError(message))
  })

  test('tells every issue with its path, of keys, symbols and segments', () => {
    const issues = [
      { message: 'first', path: ['a', { key: 'b c' }, 3, { key: 1 }, '4'] },
      { message: 'second', path: [Symbol('s')] },
      { message: 'third' },
    ]
    const result = open(() => ({ issues })).tryPublish({})
    expect(result.ok === false && result.error.message).toContain(
      `The data does not match the stream's schema: first at $.a["b c"][3][1]["4"]; second at $[Symbol(s)]; third at $. (stream "hand-made"`,
    )
    expect(result.ok === false && result.error.issues).toBe(issues)
    expect(result.ok === false && result.error.path).toBe('$.a["b c"][3][1]["4"]')
  })

  test.each<[string, Validate]>([
    ['no issue', () => ({ issues: [] })],
    ['a throw', rethrow(new Error('thrown'))],
  ])('that answers with %s has no path', (_, validate) => {
    const result = open(validate).tryPublish({})
    expect(result.ok === false && 'path' in result.error).toBe(false)
  })

  // The library hands ArkType a copy for as long as this is so.
  test('of ArkType writes into a frozen input', () => {
    const parse = () => type({ at: 'string.date.iso.parse' })(Object.freeze({ at: '2024-05-01T12:00:00Z' }))
    expect(parse).toThrow(/read only property/)
  })

  test('that closes the stream while it is asked makes the publish STREAM_CLOSED', () => {
    const stream = open((value) => {
      stream.close()
      return { value }
    }) as Stream
    const heard = vi.fn()
    stream.subscribe(heard)
    expect(stream.tryPublish({})).toMatchObject({ ok: false, code: 'STREAM_CLOSED' })
    expect(heard).not.toHaveBeenCalled()
    expectLaws(stream.ledger())
  })

  test('that takes the last capacity itself leaves the publish RATE_LIMITED', () => {
    const hub = createHub({ nowMs: () => 0 })
    let isNested = false
    const stream = hub.stream('nested', {
      limit: { ratePerSecond: 1, burst: 1 },
      schema: schemaOf((value) => {
        if (!isNested) {
          isNested = true
          stream.publish({ nested: true })
        }
        return { value }
      }),
    }) as Stream
    expect(stream.tryPublish({})).toMatchObject({ ok: false, code: 'RATE_LIMITED' })
    expect(stream.ledger().accepted).toBe(1)
    expectLaws(stream.ledger())
  })
})
