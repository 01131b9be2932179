import { type MemoryBus, memoryBus } from '@rivulet/memory'
import fc from 'fast-check'
import { createHub, type Hub, type Ledger, type Message, type RivuletError, type Stream } from 'rivulet'
import { expect, test, vi } from 'vitest'
import { pass, passUntil, stopTime } from '../support/fake-time.ts'
import { expectLaws } from '../support/ledger-laws.ts'

stopTime()

const NAMES = ['a', 'b']
const WHERE = { name: fc.constantFrom(...NAMES), hub: fc.nat({ max: 1 }) }
const operations = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant('publish' as const),
      ...WHERE,
      times: fc.integer({ min: 1, max: 70 }),
      bytes: fc.constantFrom(0, 50, 300),
      hasSignal: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ op: fc.constant('pass' as const), ms: fc.constantFrom(0, 5, 20, 1_200, 5_000) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ op: fc.constantFrom('freeze', 'thaw', 'down', 'up', 'abort', 'flush') }),
  },
  fc.record({ op: fc.constantFrom('close' as const, 'remove' as const), ...WHERE }),
  fc.record({ op: fc.constant('close hub' as const), hub: fc.nat({ max: 1 }) }),
)
type Operation = typeof operations extends fc.Arbitrary<infer T> ? T : never

const settings = fc.record({
  limit: fc.constantFrom(false as const, { ratePerSecond: 50, burst: 30 }),
  batch: fc.boolean(),
  echoes: fc.boolean(),
  maxFrameBytes: fc.constantFrom(200, 2_000, Infinity),
  maxInFlightBytes: fc.constantFrom(2_000, 8_388_608),
  isListening: fc.boolean(),
})
type Settings = typeof settings extends fc.Arbitrary<infer T> ? T : never

/** A hub, and how each promise of its `publishConfirmed` was settled. */
class Site {
  readonly hub: Hub
  readonly counts = new Map<string, number>()
  readonly toldSids: string[] = []
  readonly flushes: Promise<unknown>[] = []
  told = 0
  asked = 0
  settled = 0
  readonly #settings: Settings
  #abort = new AbortController()
  #closed: Promise<Ledger> | undefined

  constructor(bus: MemoryBus, settings: Settings) {
    this.#settings = settings
    const { maxInFlightBytes } = settings
    this.hub = createHub({ transport: bus.transport(), maxInFlightBytes })
    this.hub.on('error', () => {})
  }

  stream(name: string): Stream | undefined {
    if (this.hub.status === 'closed') return undefined
    const isKnown = [...this.hub.streams()].some((stream) => stream.name === name)
    const { limit, batch, isListening } = this.#settings
    const stream = this.hub.stream(name, { limit, batch, maxBytes: 200 }) as Stream
    if (isKnown) return stream
    stream.on('lost', ({ sids, count }) => {
      this.toldSids.push(...sids)
      this.told += count
    })
    if (isListening) stream.subscribe(() => {})
    return stream
  }

  publish(name: string, times: number, bytes: number, hasSignal: boolean): void {
    const stream = this.stream(name)
    const options = hasSignal ? { signal: this.#abort.signal } : undefined
    for (let time = 0; time < times && stream !== undefined; time++) {
      this.asked++
      stream.publishConfirmed({ text: 'x'.repeat(bytes) }, options).then(
        (message: Message) => this.#count(message.sid === '' ? 'no sid' : 'confirmed'),
        ({ code, reason = '' }: RivuletError) => {
          this.#count(code === 'LOST' || code === 'UNCONFIRMED' ? `${code} ${reason}` : 'refused')
        },
      )
    }
  }

  abort(): void {
    this.#abort.abort('enough')
    this.#abort = new AbortController()
  }

  flush(): void {
    if (this.hub.status !== 'closed') this.flushes.push(this.hub.flush())
  }

  close(): Promise<Ledger> {
    this.#closed ??= this.hub.close()
    return this.#closed
  }

  #count(how: string): void {
    this.settled++
    this.counts.set(how, (this.counts.get(how) ?? 0) + 1)
  }

  /** Every promise was settled, as the ledger says. */
  expectAgreement(): void {
    const ledger = this.hub.ledger()
    expectLaws(ledger)
    const { accepted, attempts, confirmed, unconfirmed, lost } = ledger
    const count = (how: string) => this.counts.get(how) ?? 0
    expect(this.settled).toBe(this.asked)
    expect(attempts).toBe(this.asked)
    expect(count('refused')).toBe(attempts - accepted)
    const aborted = count('UNCONFIRMED aborted')
    const outcomes = { confirmed, 'UNCONFIRMED ': unconfirmed }
    for (const [how, counted] of Object.entries(outcomes)) {
      expect(count(how)).toBeLessThanOrEqual(counted)
      expect(count(how)).toBeGreaterThanOrEqual(counted - aborted)
    }
    const told = new Set(this.toldSids)
    expect(told.size).toBe(this.toldSids.length)
    expect(told.size).toBe(this.told)
    for (const [reason, counted] of Object.entries(lost)) {
      expect(count(`LOST ${reason}`)).toBeLessThanOrEqual(counted)
      expect(count(`LOST ${reason}`)).toBeGreaterThanOrEqual(counted - aborted)
    }
    const sum = [...this.counts.values()].reduce((total, one) => total + one, 0)
    expect(sum).toBe(this.asked)
  }
}

async function act(sites: readonly Site[], bus: MemoryBus, operation: Operation): Promise<void> {
  if (operation.op === 'pass') return pass((operation as { ms: number }).ms, 40)
  const site = sites['hub' in operation ? operation.hub : 0] as Site
  switch (operation.op) {
    case 'publish': {
      const { name, times, bytes, hasSignal } = operation as Extract<Operation, { times: number }>
      return site.publish(name, times, bytes, hasSignal)
    }
    case 'abort':
    case 'flush':
      for (const one of sites) one[operation.op]()
      return
    case 'close':
    case 'remove':
      return site.stream((operation as { name: string }).name)?.[operation.op]()
    case 'close hub':
      return void site.close()
    default:
      bus[operation.op as 'freeze']()
  }
}

test('every publishConfirmed is settled once, as the ledger says, whatever happens', async () => {
  const scripts = fc.array(operations, { maxLength: 25 })
  await fc.assert(
    fc.asyncProperty(settings, scripts, async (given, script) => {
      const { echoes, maxFrameBytes } = given
      const bus = memoryBus({ echoes, maxFrameBytes })
      const sites = [new Site(bus, given), new Site(bus, given)]
      for (const operation of script) await act(sites, bus, operation)
      bus.thaw()
      bus.up()
      await passUntil(Promise.all(sites.map((site) => site.close())))
      await passUntil(Promise.all(sites.flatMap(({ flushes }) => flushes)))
      for (const site of sites) site.expectAgreement()
      expect(vi.getTimerCount()).toBe(0)
    }),
    { numRuns: 300 },
  )
}, 120_000)
