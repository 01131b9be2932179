import { nats } from '@rivulet/nats'
import {
  type CloseReason,
  createHub,
  type DropReason,
  type ErrorCode,
  type HubEvents,
  type Message,
  openHub,
  type PublishResult,
  RivuletError,
  type SignalOption,
  type Snapshot,
  type Stream,
  type StreamHandle,
  type StreamIterator,
  type StreamOptions,
  type Subscription,
  type Topic,
  type Transport,
} from 'rivulet'
import type { Observable } from 'rxjs'
import * as valibot from 'valibot'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { typeErrorsOf } from './support/run-documented.ts'

// Checked by the compiler: what must not compile is marked, and a mark without an error is an error itself.

interface Position {
  truck: number
  lat: number
  lon: number
  note?: string
}

type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue }
type ReadonlyJson =
  | string
  | number
  | boolean
  | null
  | readonly ReadonlyJson[]
  | { readonly [key: string]: ReadonlyJson }

const hub = createHub()

describe('Snapshot', () => {
  test('is what JSON makes of a type, read-only all the way down', () => {
    expectTypeOf<Snapshot<{ a: { b: number[] } }>>().toEqualTypeOf<{
      readonly a: { readonly b: readonly number[] }
    }>()
    expectTypeOf<Snapshot<[number, { a: string }]>>().toEqualTypeOf<
      readonly [number, { readonly a: string }]
    >()
    expectTypeOf<Snapshot<'a' | 5 | true | null>>().toEqualTypeOf<'a' | 5 | true | null>()
    expectTypeOf<Snapshot<Record<string, number>>>().toEqualTypeOf<{ readonly [key: string]: number }>()
  })

  test('has what toJSON gives: a Date arrives as a string', () => {
    expectTypeOf<Snapshot<{ at: Date; list: Date[] }>>().toEqualTypeOf<{
      readonly at: string
      readonly list: readonly string[]
    }>()
    expectTypeOf<Snapshot<{ a: { toJSON(key: string): { b: Date } } }>>().toEqualTypeOf<{
      readonly a: { readonly b: string }
    }>()
  })

  test('leaves out of objects what JSON leaves out, and has null for it in arrays', () => {
    class Truck {
      readonly wheels = 6
      drive() {}
    }
    expectTypeOf<
      Snapshot<{ a: number; b: () => void; c: symbol; d: undefined; [Symbol.iterator]: 1 }>
    >().toEqualTypeOf<{
      readonly a: number
    }>()
    expectTypeOf<Snapshot<Truck>>().toEqualTypeOf<{ readonly wheels: 6 }>()
    expectTypeOf<Snapshot<(number | undefined)[]>>().toEqualTypeOf<readonly (number | null)[]>()
    expectTypeOf<Snapshot<[() => void]>>().toEqualTypeOf<readonly [null]>()
  })

  test('may lack what may be undefined', () => {
    expectTypeOf<Snapshot<{ a?: number; b: string | undefined; c: number | (() => void) }>>().toEqualTypeOf<{
      readonly a?: number
      readonly b?: string
      readonly c?: number
    }>()
    expectTypeOf<Snapshot<{ a?: { b?: Date } }>>().toEqualTypeOf<{ readonly a?: { readonly b?: string } }>()
  })

  test('is never for a BigInt and for what JSON would empty, and stays unknown and any', () => {
    expectTypeOf<Snapshot<bigint>>().toBeNever()
    expectTypeOf<Snapshot<Map<string, number>>>().toBeNever()
    expectTypeOf<Snapshot<Set<number>>>().toBeNever()
    expectTypeOf<Snapshot<Promise<number>>>().toBeNever()
    expectTypeOf<Snapshot<Uint8Array>>().toBeNever()
    expectTypeOf<Snapshot<RegExp>>().toBeNever()
    expectTypeOf<Snapshot<{ a: Map<string, number> }>['a']>().toBeNever()
    expectTypeOf<Snapshot<unknown>>().toBeUnknown()
    // biome-ignore lint/suspicious/noExplicitAny: it is what is tested
    expectTypeOf<Snapshot<any>>().toBeAny()
    expectTypeOf<Snapshot<{ a: unknown }>>().toEqualTypeOf<{ readonly a: unknown }>()
  })

  test('takes types that refer to themselves', () => {
    interface Tree {
      at: Date
      children: Tree[]
    }
    expectTypeOf<Snapshot<Tree>['children'][0]['children'][0]['at']>().toEqualTypeOf<string>()
  })

  test('takes aliases that refer to themselves, to publish and to receive', () => {
    const stream = hub.stream<{ id: number; meta: JsonValue }>('recursive')
    stream.publish({ id: 1, meta: { list: [1, { deep: [null, 'text'] }] } })
    stream.subscribe(({ data }) => expectTypeOf(data.meta).toExtend<ReadonlyJson>())
    expectTypeOf<ReadonlyJson>().toExtend<Snapshot<JsonValue>>()
    hub.stream<{ [key: string]: JsonValue }>('records').publish({ a: [[[1]]] })
    type Dates = Date | Dates[] | { [key: string]: Dates }
    expectTypeOf<string | readonly string[]>().toExtend<Snapshot<Dates>>()
    expectTypeOf<number[]>().not.toExtend<Snapshot<Dates>>()
    const wrong = () => {
      // @ts-expect-error a function is no JSON
      stream.publish({ id: 1, meta: { list: [() => 1] } })
    }
    expectTypeOf(wrong).toBeFunction()
  })

  test('is that of what toJSON gives, on which JSON looks for no second one', () => {
    interface Document {
      id: number
      toJSON(): Document
    }
    expectTypeOf<Snapshot<Document>>().toEqualTypeOf<{ readonly id: number }>()
  })

  test('keeps tuples that end in a list', () => {
    expectTypeOf<Snapshot<[Date, ...number[]]>>().toEqualTypeOf<readonly [string, ...number[]]>()
  })
})

describe('hub.stream', () => {
  test('types what is published, and what arrives as JSON makes of it', () => {
    const stream = hub.stream<Position & { at: Date }>('positions')
    stream.publish({ truck: 7, lat: 52.1, lon: 4.3, at: new Date() })
    stream.subscribe(({ data, sid, isLocal }) => {
      expectTypeOf(data.at).toEqualTypeOf<string>()
      expectTypeOf(data.note).toEqualTypeOf<string | undefined>()
      expectTypeOf([sid, isLocal] as const).toEqualTypeOf<readonly [string, boolean]>()
    })
    const message = stream.publish({ truck: 7, lat: 52.1, lon: 4.3, at: new Date() })
    const write = () => {
      // @ts-expect-error the data is frozen
      message.data.lat = 0
      // @ts-expect-error a message is frozen
      message.isLocal = false
    }
    expectTypeOf(write).toBeFunction()
    const wrong = () => {
      // @ts-expect-error a member is missing
      stream.publish({ truck: 7, lat: 52.1, at: new Date() })
      // @ts-expect-error a member has another type
      stream.publish({ truck: '7', lat: 52.1, lon: 4.3, at: new Date() })
      // @ts-expect-error there is no such member
      stream.publish({ truck: 7, lat: 52.1, lon: 4.3, at: new Date(), speed: 5 })
    }
    expectTypeOf(wrong).toBeFunction()
  })

  test('takes any object when nothing is said, and objects only', () => {
    const stream = hub.stream('anything')
    stream.publish({ a: 1 })
    expectTypeOf(stream.publish({}).data).toEqualTypeOf<{ readonly [key: string]: unknown }>()
    const position: Position = { truck: 7, lat: 52.1, lon: 4.3 }
    stream.publish(position)
    expectTypeOf(stream.publish).toBeCallableWith(
      new (class Truck {
        wheels = 6
      })(),
    )
    const wrong = () => {
      // @ts-expect-error a string is no object
      stream.publish('text')
      // @ts-expect-error nothing is no object
      stream.publish()
      // @ts-expect-error a list is no object
      stream.publish([1])
      // @ts-expect-error a stream of numbers cannot be
      hub.stream<number>('numbers')
      // @ts-expect-error a stream of lists cannot be
      hub.stream<number[]>('lists')
      // @ts-expect-error JSON makes a string of a date
      stream.publish(new Date())
      // @ts-expect-error JSON makes a string of a URL
      stream.publish(new URL('https://an.instance'))
      // @ts-expect-error JSON empties a Map
      stream.publish(new Map())
      // @ts-expect-error JSON empties a Set
      stream.publish(new Set())
      // @ts-expect-error a promise is awaited first
      stream.publish(Promise.resolve({}))
      // @ts-expect-error JSON writes the indices of a typed array
      stream.publish(new Uint8Array(1))
      // @ts-expect-error JSON empties a RegExp
      stream.publish(/a/)
      // @ts-expect-error JSON empties an ArrayBuffer
      stream.publish(new ArrayBuffer(1))
      // @ts-expect-error JSON empties a Blob
      stream.publish(new Blob())
      // @ts-expect-error JSON drops a function
      stream.publish(() => {})
      // @ts-expect-error JSON drops a class
      stream.publish(Blob)
      // @ts-expect-error a stream of Maps cannot be
      hub.stream<Map<string, number>>('maps')
      // @ts-expect-error a name is needed
      hub.stream()
    }
    expectTypeOf(wrong).toBeFunction()
  })

  test('types both sides by a schema of zod', () => {
    const schema = z.object({
      at: z.iso.datetime().transform((text) => new Date(text)),
      n: z.number().default(1),
    })
    const stream = hub.stream('zod', { schema, maxBytes: 100 })
    expectTypeOf(stream.publish).parameter(0).toExtend<{ at: string; n?: number | undefined }>()
    expectTypeOf(stream.publish).returns.toEqualTypeOf<Message<{ at: Date; n: number }>>()
    expectTypeOf(stream.publish({ at: '2024-05-01T00:00:00Z' }).data.at).toEqualTypeOf<Date>()
    // @ts-expect-error the input of the schema is a string
    const wrong = () => stream.publish({ at: 5 })
    expectTypeOf(wrong).toBeFunction()
  })

  test('types both sides by a schema of valibot', () => {
    const schema = valibot.object({ n: valibot.pipe(valibot.string(), valibot.transform(Number)) })
    const stream = hub.stream('valibot', { schema })
    expectTypeOf(stream.publish({ n: '1' }).data).toEqualTypeOf<{ n: number }>()
    // @ts-expect-error the input of the schema is a string
    const wrong = () => stream.publish({ n: 1 })
    expectTypeOf(wrong).toBeFunction()
  })

  test('takes a schema beside a type that it agrees with, and none that it does not', () => {
    const schema = z.object({ truck: z.number(), lat: z.number(), lon: z.number() })
    const limit = { ratePerSecond: 30, burst: 30 }
    expectTypeOf(hub.stream<Omit<Position, 'note'>>('beside', { schema, limit }).publish).toBeFunction()
    const wrong = () => {
      // @ts-expect-error the schema wants a string
      hub.stream<Position>('disagrees', { schema: z.object({ truck: z.string() }) })
      // @ts-expect-error a message is an object
      hub.stream('no-object', { schema: z.string() })
      // @ts-expect-error that is no validator
      hub.stream('no-schema', { schema: {} })
    }
    expectTypeOf(wrong).toBeFunction()
  })

  test('takes options by name, with their own types', () => {
    const options: StreamOptions = { maxBytes: 5, limit: false, maxAgeMs: false, batch: false }
    expectTypeOf(hub.stream<Position>('stored', options)).toEqualTypeOf<Stream<Position>>()
    expectTypeOf(hub.stream('stored', options).publish).toBeCallableWith({ a: 1 })
    const wrong = () => {
      // @ts-expect-error there is no such option
      hub.stream('a', { maxByte: 5 })
      // @ts-expect-error the limit is an object or false
      hub.stream('a', { limit: true })
      // @ts-expect-error there is no such scope
      hub.stream('a', { limit: { scope: 'hub' } })
      // @ts-expect-error options are read-only
      options.maxBytes = 6
    }
    expectTypeOf(wrong).toBeFunction()
  })
})

describe('a bare Stream', () => {
  test('is the supertype of every stream, whatever its types', () => {
    const take = (stream: Stream) => stream.name
    take(hub.stream<Position>('typed'))
    take(hub.stream('anything'))
    take(hub.stream('schema', { schema: z.object({ n: z.string().transform(Number) }) }))
    const all: Stream[] = [hub.stream<Position>('typed'), ...hub.streams()]
    expectTypeOf<Stream<Position>>().toExtend<Stream>()
    expectTypeOf<Stream<{ a: string }, { b: Date }>>().toExtend<Stream>()
    expectTypeOf(all).toEqualTypeOf<Stream[]>()
  })
})

describe('a stream', () => {
  const stream = hub.stream<Position>('typed')
  type Data = Snapshot<Position>

  test('types what its verbs give', () => {
    expectTypeOf(stream.publish).returns.toEqualTypeOf<Message<Data>>()
    expectTypeOf(stream.tryPublish).returns.toEqualTypeOf<PublishResult<Data>>()
    expectTypeOf(stream.publishWhenReady).returns.toEqualTypeOf<Promise<Message<Data>>>()
    expectTypeOf(stream.publishConfirmed).returns.toEqualTypeOf<Promise<Message<Data>>>()
    expectTypeOf(stream.publishConfirmed).parameter(1).toEqualTypeOf<SignalOption | undefined>()
    expectTypeOf(stream.publishLatest).returns.toEqualTypeOf<Message<Data> | undefined>()
    expectTypeOf(stream.subscribe).returns.toEqualTypeOf<Subscription>()
    expectTypeOf(stream.messages$).toEqualTypeOf<Observable<Message<Data>>>()
    expectTypeOf(stream.iterate).returns.toEqualTypeOf<StreamIterator<Data>>()
    expectTypeOf<StreamIterator<Data>>().toExtend<AsyncIterableIterator<Message<Data>, undefined>>()
    expectTypeOf<StreamIterator<Data>['ready']>().toEqualTypeOf<Promise<void>>()
    expectTypeOf<StreamIterator<Data>['dropped']>().toEqualTypeOf<number>()
    expectTypeOf(stream.subject.next).parameter(0).toEqualTypeOf<Position>()
    expectTypeOf(stream.expiresAt).toEqualTypeOf<Date | null>()
  })

  test('narrows the result of tryPublish by ok', () => {
    const narrow = (result: PublishResult<Data>) => {
      if (result.ok) expectTypeOf(result.message.data).toEqualTypeOf<Data>()
      else {
        expectTypeOf(result.error).toEqualTypeOf<RivuletError>()
        expectTypeOf(result.retryAfterMs).toEqualTypeOf<number | undefined>()
        expectTypeOf(result.code).toExtend<ErrorCode>()
      }
      // @ts-expect-error a refusal has no message
      return result.message
    }
    expectTypeOf(narrow).toBeFunction()
  })

  test('types its events', () => {
    stream.on('messagePublished', ({ message, isLocal }) => {
      expectTypeOf(message.data).toEqualTypeOf<Data>()
      expectTypeOf(isLocal).toEqualTypeOf<boolean>()
    })
    stream.on('lost', ({ reason, count }) => {
      expectTypeOf(reason).toEqualTypeOf<'offline' | 'congested' | 'failed'>()
      expectTypeOf(count).toEqualTypeOf<number>()
    })
    stream.on('removed', ({ reason }) => expectTypeOf(reason).toEqualTypeOf<'removed' | 'expired'>())
    stream.on('joined', ({ isFirst }) => expectTypeOf(isFirst).toEqualTypeOf<boolean>())
    stream.once('closed', ({ reason, isLocal }) => {
      expectTypeOf(reason).toEqualTypeOf<CloseReason>()
      expectTypeOf(isLocal).toEqualTypeOf<boolean>()
      // @ts-expect-error there is no such reason
      return reason === 'ended'
    })
    stream.on('error', (error) => expectTypeOf(error).toEqualTypeOf<RivuletError>())
    stream.once('dropped', ({ reason, count }) => {
      expectTypeOf(reason).toEqualTypeOf<DropReason>()
      expectTypeOf(count).toEqualTypeOf<number>()
    })
    const wrong = () => {
      // @ts-expect-error there is no such event
      stream.on('message', () => {})
      // @ts-expect-error the event carries something else
      stream.on('lost', ({ message }) => message)
      // @ts-expect-error there is no such event of a hub
      hub.on('lost', () => {})
    }
    expectTypeOf(wrong).toBeFunction()
    expectTypeOf<HubEvents['status']>().toEqualTypeOf<'local' | 'opening' | 'up' | 'down' | 'closed'>()
  })

  test('types the key of iterate by its messages', () => {
    stream.iterate({ overflow: 'latest', key: ({ data }) => data.truck })
    const wrong = () => {
      // @ts-expect-error the data has no such member
      stream.iterate({ overflow: 'latest', key: ({ data }) => data.driver })
      // @ts-expect-error there is no such policy
      stream.iterate({ overflow: 'drop' })
    }
    expectTypeOf(wrong).toBeFunction()
  })
})

describe('a hub', () => {
  test('takes a transport object, and openHub a URL too', () => {
    expectTypeOf(nats).returns.toExtend<Transport>()
    expectTypeOf(openHub).parameter(0).toExtend<string | readonly string[] | object>()
    const wrong = () => {
      // @ts-expect-error a URL is for openHub
      createHub({ transport: 'nats://h' })
      // @ts-expect-error there is no such option
      createHub({ names: 'x' })
      // @ts-expect-error a configuration has a transport
      openHub({ name: 'x' })
    }
    expectTypeOf(wrong).toBeFunction()
  })

  test('lets only the core make topics', () => {
    // @ts-expect-error a string is no topic
    const topic: Topic = 'rivulet/default/a'
    expectTypeOf(topic).toExtend<string>()
  })

  test('has errors of one class with a closed union of codes', () => {
    const narrow = (error: unknown) => {
      if (!RivuletError.is(error)) return undefined
      expectTypeOf(error.retryAfterMs).toEqualTypeOf<number | undefined>()
      // @ts-expect-error there is no such code
      return error.code === 'UNKNOWN'
    }
    expectTypeOf(narrow).toBeFunction()
  })
})

test('a handle of hub.acquire has the stream that hub.stream gives', () => {
  expectTypeOf(hub.acquire<Position>('positions')).toEqualTypeOf<StreamHandle<Position>>()
  expectTypeOf(hub.acquire<Position>('positions').stream).toEqualTypeOf(hub.stream<Position>('positions'))
  expectTypeOf(hub.acquire('positions').stream).toEqualTypeOf(hub.stream('positions'))
  expectTypeOf(hub.acquire<Position>('positions')).toExtend<StreamHandle>()
  expectTypeOf<StreamHandle>().toExtend<Disposable>()
  const wrong = () => {
    // @ts-expect-error the data has another form
    hub.acquire<Position>('positions').stream.publish({ truck: 'seven' })
    // @ts-expect-error there is no such option
    hub.acquire('positions', { maxbytes: 100 })
  }
  expectTypeOf(wrong).toBeFunction()
})

test('hubs and subscriptions are what `await using` and `using` ask for', () => {
  expectTypeOf(hub).toExtend<AsyncDisposable>()
  expectTypeOf<Subscription>().toExtend<Disposable>()
  expectTypeOf<Subscription['status']>().toEqualTypeOf<'joining' | 'joined' | 'refused' | 'ended'>()
})

test('reports a mark without an error, and a type that is not the expected one', () => {
  const program = (place: string, lines: string[]) => ({
    place,
    language: 'ts' as const,
    text: [
      "import { createHub, type Snapshot } from 'rivulet'",
      "import { expectTypeOf } from 'vitest'",
      ...lines,
    ].join('\n'),
  })
  const errors = typeErrorsOf([
    program('types-right', ["createHub().stream('a').publish({})"]),
    program('types-mark', ['// @ts-expect-error nothing is wrong', "createHub().stream('a').publish({})"]),
    program('types-other', ['expectTypeOf<Snapshot<Date>>().toEqualTypeOf<Date>()']),
    program('types-wrong', ["createHub().stream('a').publish('text')"]),
  ])
  expect(errors.map((error) => error.split(':')[0])).toEqual(['types-mark', 'types-other', 'types-wrong'])
})
