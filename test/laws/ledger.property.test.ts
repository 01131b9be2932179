import { type MemoryBus, type MemoryBusOptions, memoryBus } from '@rivulet/memory'
import fc from 'fast-check'
import {
  createHub,
  type Hub,
  type IterateOptions,
  type Message,
  type Stream,
  type StreamOptions,
  type Transport,
} from 'rivulet'
import { expect, test, vi } from 'vitest'
import { pass, passUntil, stopTime } from '../support/fake-time.ts'
import { expectLaws, flatten, sumOfLedgers } from '../support/ledger-laws.ts'

stopTime()

const NAMES = ['a', 'b']
const WHERE = { hub: fc.nat({ max: 2 }), name: fc.constantFrom(...NAMES) }

const schema = {
  '~standard': {
    version: 1 as const,
    vendor: 'test',
    validate: (value: unknown) =>
      'bad' in (value as object) ? { issues: [{ message: 'is bad' }] } : { value: value as object },
  },
}

type Data = Record<string, unknown>
const payloads: readonly (() => unknown)[] = [
  () => ({ hops: 0 }),
  () => ({ hops: 0, text: 'x'.repeat(40) }),
  () => ({ hops: 5 }),
  () => ({ text: 'x'.repeat(300) }),
  () => ({ bad: true }),
  () => ({ n: 1n }),
  () => [1],
]

const verbs = fc.constantFrom('publish', 'tryPublish', 'publishWhenReady', 'publishLatest', 'subject')
const operations = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      op: fc.constant('publish' as const),
      ...WHERE,
      verb: verbs,
      payload: fc.nat({ max: payloads.length - 1 }),
      times: fc.integer({ min: 1, max: 8 }),
      key: fc.nat({ max: 2 }),
      hasSignal: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant('subscribe' as const),
      ...WHERE,
      how: fc.constantFrom('quiet', 'throws', 'rejects', 'echoes', 'closes', 'observes', 'iterates'),
      hasSignal: fc.boolean(),
      buffer: fc.integer({ min: 1, max: 4 }),
      overflow: fc.constantFrom('dropOldest', 'dropNewest', 'latest'),
    }),
  },
  fc.record({ op: fc.constant('leave' as const), which: fc.nat({ max: 10 }) }),
  fc.record({ op: fc.constant('abort' as const) }),
  fc.record({ op: fc.constant('read' as const), which: fc.nat({ max: 10 }) }),
  fc.record({ op: fc.constantFrom('close' as const, 'remove' as const, 'expire' as const), ...WHERE }),
  {
    weight: 4,
    arbitrary: fc.record({ op: fc.constant('pass' as const), ms: fc.constantFrom(0, 1, 10, 40, 150, 1200) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constantFrom(
        'freeze' as const,
        'thaw' as const,
        'down' as const,
        'up' as const,
        'heal' as const,
      ),
    }),
  },
  fc.record({ op: fc.constant('partition' as const), one: fc.nat({ max: 2 }), other: fc.nat({ max: 2 }) }),
  fc.record({ op: fc.constant('close hub' as const), hub: fc.nat({ max: 2 }) }),
)
type Operation = typeof operations extends fc.Arbitrary<infer T> ? T : never
type Publish = Extract<Operation, { op: 'publish' }>
type Subscribe = Extract<Operation, { op: 'subscribe' }>

const limits = fc.oneof(
  fc.constant(false as const),
  fc.record({
    ratePerSecond: fc.constantFrom(0, 3, 50, 2000),
    burst: fc.constantFrom(1, 2.5, 4, 30),
    scope: fc.constantFrom('stream' as const, 'process' as const),
  }),
)
const streamOptions = fc.record({
  limit: limits,
  maxWaiting: fc.constantFrom(0, 1, 5, 1000),
  batch: fc.boolean(),
  maxAgeMs: fc.constantFrom(false as const, 100, 5000),
  maxBytes: fc.constant(200),
  schema: fc.constant(schema),
})
const chances = fc.constantFrom(0, 0, 0.3)
const busOptions = fc.record({
  seed: fc.nat(),
  loss: chances,
  duplicate: chances,
  reorder: chances,
  delayMs: fc.constantFrom<[number, number]>([0, 0], [5, 5], [0, 150]),
  echoes: fc.boolean(),
  maxFrameBytes: fc.constantFrom(120, 400, Infinity),
})

/** Some hubs, everything that was ever opened on them, and how to do an operation. */
class Scene {
  readonly hubs: Hub[] = []
  readonly #transports: Transport[] = []
  readonly #bus: MemoryBus | undefined
  readonly #options: StreamOptions
  readonly #streams = new Map<Hub, Set<Stream<Data, Data>>>()
  readonly #leave: (() => void)[] = []
  readonly #iterators: AsyncIterableIterator<unknown>[] = []
  readonly #closing: Promise<unknown>[] = []
  #controller = new AbortController()

  constructor(count: number, options: object, bus?: MemoryBusOptions) {
    this.#options = options
    this.#bus = bus && memoryBus(bus)
    for (let nth = 0; nth < count; nth++) this.#addHub()
  }

  async do(operation: Operation): Promise<void> {
    switch (operation.op) {
      case 'publish':
        for (let time = 0; time < operation.times; time++) this.#publish(operation)
        return
      case 'subscribe':
        return this.#subscribe(operation)
      case 'leave':
        return this.#leave[operation.which]?.()
      case 'read':
        return void this.#iterators[operation.which]?.next()
      case 'abort':
        this.#controller.abort('enough')
        this.#controller = new AbortController()
        return
      case 'close':
      case 'remove':
        return this.#stream(operation.hub, operation.name)?.[operation.op]()
      case 'expire':
        return this.#stream(operation.hub, operation.name)?.setTtl(1)
      case 'pass':
        return pass(operation.ms, 40)
      case 'close hub':
        return void this.#closing.push(this.#hub(operation.hub).close())
      default:
        return this.#breakBus(operation)
    }
  }

  /** Asserts the laws of every stream that ever was and of every hub, and that the hubs are the sums. */
  expectLaws(): void {
    for (const hub of this.hubs) {
      const ledgers = [...(this.#streams.get(hub) ?? [])].map((stream) => stream.ledger())
      for (const ledger of [...ledgers, hub.ledger()]) expectLaws(ledger)
      const [total, sum] = [flatten(hub.ledger()), sumOfLedgers(ledgers)]
      // Frames that no stream asked for count at the hub alone.
      const unasked = (total.get('dropped.notJoined') ?? 0) - (sum.get('dropped.notJoined') ?? 0)
      expect(unasked).toBeGreaterThanOrEqual(0)
      for (const name of ['received', 'dropped.notJoined']) sum.set(name, (sum.get(name) ?? 0) + unasked)
      for (const [name, count] of total) expect(sum.get(name) ?? 0, name).toBe(count)
    }
  }

  /** Mends the bus, closes everything, and asserts that nothing is left open. */
  async end(): Promise<void> {
    this.#bus?.thaw()
    this.#bus?.up()
    await passUntil(Promise.all([...this.#closing, ...this.hubs.map((hub) => hub.close())]))
    this.expectLaws()
    for (const hub of this.hubs) {
      expect(hub.ledger()).toMatchObject({ inFlight: 0, waiting: 0, subscribers: 0 })
    }
    await pass(200, 40) // what the bus still delays
    this.expectLaws()
    expect(vi.getTimerCount()).toBe(0)
  }

  #addHub(): void {
    const transport = this.#bus?.transport()
    if (transport !== undefined) this.#transports.push(transport)
    const hub = createHub(transport === undefined ? {} : { transport, maxInFlightBytes: 2000 })
    hub.on('error', () => {})
    this.hubs.push(hub)
    this.#streams.set(hub, new Set())
  }

  #hub(nth: number): Hub {
    return this.hubs[nth % this.hubs.length] as Hub
  }

  #stream(nth: number, name: string): Stream<Data, Data> | undefined {
    const hub = this.#hub(nth)
    if (hub.status === 'closed') return undefined
    const stream = hub.stream<Data, Data>(name, this.#options as object)
    const known = this.#streams.get(hub) as Set<Stream<Data, Data>>
    if (!known.has(stream)) stream.on('refused', () => expectLaws(stream.ledger()))
    known.add(stream)
    return stream
  }

  #publish({ hub, name, verb, payload, key, hasSignal }: Publish): void {
    const stream = this.#stream(hub, name)
    const data = payloads[payload]?.() as Data
    const options = hasSignal ? { signal: this.#controller.signal } : {}
    try {
      if (verb === 'publishWhenReady') void stream?.publishWhenReady(data, options).catch(() => {})
      else if (verb === 'publishLatest') stream?.publishLatest(data, { key })
      else if (verb === 'subject') stream?.subject.next(data)
      else stream?.[verb](data)
    } catch (error) {
      expect(error).toMatchObject({ name: 'RivuletError' })
    }
  }

  #subscribe({ hub, name, how, hasSignal, buffer, overflow }: Subscribe): void {
    const stream = this.#stream(hub, name)
    if (stream === undefined) return
    const options = hasSignal ? { signal: this.#controller.signal } : {}
    if (how === 'iterates') {
      const key = ({ data }: Message<Data>) => data.hops
      const iterate = { buffer, overflow, key, ...options } as IterateOptions<Data>
      const iterator = stream.iterate(iterate)
      this.#iterators.push(iterator)
      this.#leave.push(() => void iterator.return?.())
    } else if (how === 'observes') {
      const observer = stream.messages$.subscribe()
      this.#leave.push(() => observer.unsubscribe())
    } else {
      const subscription = stream.subscribe((message) => this.#hear(stream, message, how), options)
      this.#leave.push(() => subscription.unsubscribe())
    }
  }

  #hear(stream: Stream<Data, Data>, { data }: Message<Data>, how: Subscribe['how']): unknown {
    const hops = Number(data.hops ?? 9)
    if (how === 'throws') throw new Error('thrown')
    if (how === 'rejects') return Promise.reject(new Error('rejected'))
    if (how === 'closes' && hops === 5) stream.close()
    if (how === 'echoes' && hops < 2) {
      for (const name of NAMES)
        this.#stream(this.hubs.indexOf(this.#hubOf(stream)), name)?.tryPublish({ hops: hops + 1 })
    }
    return undefined
  }

  #hubOf(stream: Stream<Data, Data>): Hub {
    return this.hubs.find((hub) => this.#streams.get(hub)?.has(stream)) as Hub
  }

  #breakBus(operation: Operation): void {
    const bus = this.#bus
    if (bus === undefined) return
    if (operation.op !== 'partition') bus[operation.op as 'freeze' | 'thaw' | 'down' | 'up' | 'heal']()
    else {
      const [one, other] = [operation.one, operation.other].map(
        (nth) => this.#transports[nth % this.#transports.length],
      )
      if (one !== other) bus.partition(one as Transport, other as Transport)
    }
  }
}

async function run(scene: Scene, script: readonly Operation[]): Promise<void> {
  for (const operation of script) {
    await scene.do(operation)
    scene.expectLaws()
  }
  await scene.end()
}

test('the laws hold after any operations on local hubs', async () => {
  const scripts = fc.array(operations, { maxLength: 30 })
  await fc.assert(
    fc.asyncProperty(streamOptions, scripts, (options, script) => run(new Scene(2, options), script)),
    { numRuns: 1000 },
  )
}, 120_000)

test('the laws hold after any operations on hubs that a faulty bus links', async () => {
  const scripts = fc.array(operations, { maxLength: 30 })
  const hubs = fc.integer({ min: 2, max: 3 })
  await fc.assert(
    fc.asyncProperty(hubs, streamOptions, busOptions, scripts, (count, options, bus, script) =>
      run(new Scene(count, options, bus), script),
    ),
    { numRuns: 1000 },
  )
}, 240_000)
