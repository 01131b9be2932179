import { type MemoryBus, type MemoryBusOptions, memoryBus } from '@rivulet/memory'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { endless } from '../../../test/support/adapters/waits.ts'
import { expectBalance } from './balance.ts'
import { type Client, connect, send, TOPIC, tick } from './client.ts'

const SENDERS = 3
const LONGEST_WAY_MS = 100

const chance = fc.constantFrom(0, 0.1, 0.5, 0.9, 1)
const anyOptions: fc.Arbitrary<MemoryBusOptions> = fc.record({
  seed: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  loss: chance,
  duplicate: chance,
  reorder: chance,
  delayMs: fc.constantFrom([0, 0] as const, [2, 2] as const, [0, 9] as const),
})
/** The senders, in turn. */
const anySends = fc.array(fc.nat(SENDERS - 1), { maxLength: 40 })

describe('the fate of a frame', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('depends on seed, sender, number and receiver alone', async () => {
    await fc.assert(
      fc.asyncProperty(anyOptions, anySends, async (options, sends) => {
        const inTurn = await run(options, sends)
        const bySender = await run(options, [...sends].sort())
        const slowly = await run(options, sends, () => Promise.resolve())
        expect(bySender).toEqual(inTurn)
        expect(slowly).toEqual(inTurn)
      }),
      { numRuns: 1000 },
    )
  }, 60_000)

  test('is the same in every version: a run that failed can be run again', async () => {
    const options = { seed: 7, loss: 0.1, duplicate: 0.6, reorder: 0.6, delayMs: [0, 9] } as const
    const heard = await run(options, Array(16).fill(0))
    const numbers = heard[SENDERS]?.map((frame) => frame.replace('0 sent ', ''))
    expect(numbers?.join()).toBe('6,2,11,5,9,3,0,6,10,10,13,1,12,4,1,15,8,7,12,11,4,13,2,15,14')
  })

  test('is the same when the sender was refused in between', async () => {
    const options = { seed: 3, loss: 0.5 }
    const whole = await run(options, Array(40).fill(0))
    const bus = memoryBus(options)
    const [a, b] = [await connect(bus), await connect(bus, TOPIC)]
    for (let nth = 0; nth < 40; nth += 1) {
      if (nth === 10) bus.down()
      if (nth === 20) await comeBack(bus, a, b)
      send(a, `0 sent ${nth}`)
      await Promise.resolve()
    }
    const isHeard = (frame: string) => !/ 1\d$/.test(frame)
    expect(b.host.texts()).toEqual(whole[SENDERS]?.filter(isHeard))
  })
})

describe('a frame that is reordered', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('or only delayed has a latency within the bounds of the delay', async () => {
    const bus = memoryBus({ delayMs: [5, 9] })
    const [a, b] = [await connect(bus), await connect(bus, TOPIC)]
    send(a, ...Array(100).fill('x'))
    await vi.advanceTimersByTimeAsync(5)
    expect(b.host.texts()).toEqual([])
    await vi.advanceTimersByTimeAsync(2)
    expect(b.host.texts().length).toBeGreaterThan(20)
    expect(b.host.texts().length).toBeLessThan(80)
    await vi.advanceTimersByTimeAsync(2)
    expect(b.host.texts().length).toBe(100)
  })

  test('arrives after 20 ms without a later frame', async () => {
    const bus = memoryBus({ reorder: 1, delayMs: [2, 2] })
    const [a, b] = [await connect(bus), await connect(bus, TOPIC)]
    send(a, 'first')
    await vi.advanceTimersByTimeAsync(21)
    expect(b.host.texts()).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(b.host.texts()).toEqual(['first'])
  })

  test('arrives once only, although enough frames follow later', async () => {
    const bus = memoryBus({ reorder: 1 })
    const [a, b] = [await connect(bus), await connect(bus, TOPIC)]
    send(a, 'first')
    await vi.advanceTimersByTimeAsync(20)
    send(a, ...Array(8).fill('later'))
    await vi.advanceTimersByTimeAsync(20)
    expect(b.host.texts()).toEqual(['first', ...Array(8).fill('later')])
  })

  test('arrives after the frames that overtake it, each copy by itself, also in one tick', async () => {
    const bus = memoryBus({ reorder: 0.4, duplicate: 0.4, seed: 3 })
    const [a, b] = [await connect(bus), await connect(bus, TOPIC)]
    send(a, ...Array.from({ length: 20 }, (_, nth) => String(nth)))
    await vi.advanceTimersByTimeAsync(0)
    expect(b.host.texts().join()).toBe('1,0,3,0,5,3,6,2,7,8,4,11,12,7,13,14,16,9,17,10,15,17,18,14')
  })

  test('arrives no later when enough frames follow at the last moment', async () => {
    const bus = memoryBus({ reorder: 1, delayMs: [2, 2] })
    const [a, b] = [await connect(bus), await connect(bus, TOPIC)]
    send(a, 'first')
    await vi.advanceTimersByTimeAsync(21)
    send(a, ...Array(8).fill('later'))
    await vi.advanceTimersByTimeAsync(1)
    expect(b.host.texts()).toEqual(['first'])
  })
})

test('another seed gives other faults', async () => {
  const heard = new Set<string>()
  for (let seed = 0; seed < 100; seed += 1) {
    const bus = memoryBus({ seed, loss: 0.5 })
    const [a, b] = [await connect(bus), await connect(bus, TOPIC)]
    for (let nth = 0; nth < 40; nth += 1) send(a, String(nth))
    await tick()
    heard.add(b.host.texts().join())
  }
  expect(heard.size).toBe(100)
})

test('the two receivers of a frame draw faults of their own', async () => {
  const bus = memoryBus({ loss: 0.5 })
  const [a, b, c] = [await connect(bus), await connect(bus, TOPIC), await connect(bus, TOPIC)]
  for (let nth = 0; nth < 40; nth += 1) send(a, String(nth))
  await tick()
  expect(b.host.texts()).not.toEqual(c.host.texts())
})

test.each([0.01, 0.1, 0.5, 0.99])('a chance of %d is met over many frames', async (chance) => {
  const frames = 20_000
  const bus = memoryBus({ loss: chance, duplicate: chance })
  const [a] = [await connect(bus), await connect(bus, TOPIC)]
  for (let nth = 0; nth < frames; nth += 1) send(a, '')
  const { lost, duplicated } = bus.counts()
  // Five standard deviations of a binomial.
  const tolerance = 5 * Math.sqrt(chance * (1 - chance) * frames)
  expect(Math.abs(lost - chance * frames)).toBeLessThan(tolerance)
  expect(Math.abs(duplicated - chance * (frames - lost))).toBeLessThan(tolerance)
})

/** Resolves to each receiver's frames of each sender, in order: all of the first receiver first. */
async function run(
  options: MemoryBusOptions,
  sends: readonly number[],
  pause?: () => Promise<void>,
): Promise<string[][]> {
  const bus = memoryBus(options)
  const clients = [await connect(bus, TOPIC), await connect(bus, TOPIC), await connect(bus, TOPIC)]
  const counts = clients.map(() => 0)
  for (const sender of sends) {
    send(clients[sender] as Client, `${sender} sent ${(counts[sender] as number)++}`)
    await pause?.()
  }
  await vi.advanceTimersByTimeAsync(LONGEST_WAY_MS)
  expectBalance(bus.counts())
  return clients.flatMap(({ host }) =>
    clients.map((_, sender) => host.texts().filter((frame) => frame.startsWith(`${sender} `))),
  )
}

async function comeBack(bus: MemoryBus, ...clients: Client[]): Promise<void> {
  bus.up()
  for (const { transport, host } of clients) {
    await transport.open(host, endless)
    await transport.join(TOPIC, endless)
  }
}
