import { memoryBus } from '@rivulet/memory'
import type { Transport } from 'rivulet'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { wrongCapabilities } from '../support/wrong-transports/capabilities.ts'
import { wrongDelivery } from '../support/wrong-transports/delivery.ts'
import { wrongEnding } from '../support/wrong-transports/ending.ts'
import { backendOf, type WrongTransport } from '../support/wrong-transports/wrong-transport.ts'
import { compare } from './compare.ts'
import { KINDS, type Server } from './kinds.ts'

const SEEDS = [0, 1, 2]
/** Each planted flaw is found by one of the first so many seeds. */
const MOST_SEEDS = 20
const FLAWS = [
  'sends every frame twice',
  'calls flushed what has not left',
  'denies its echoes',
  'claims echoes',
]

const losing: WrongTransport = {
  flaw: 'loses one frame in ten',
  fails: [],
  create: () => backendOf(memoryBus(), losesSome),
}
const planted = [...wrongCapabilities, ...wrongDelivery, ...wrongEnding]
  .filter(({ flaw }) => FLAWS.includes(flaw))
  .concat(losing)

// Starting some of them keeps this process busy.
const servers = new Map<string, Server>()
beforeAll(async () => {
  for (const { name, start } of KINDS) servers.set(name, await start())
})
afterAll(() => Promise.all([...servers.values()].map((server) => server.close())))

test.concurrent.for(KINDS)('scenarios show the same over $name as over memory', async ({ name }) => {
  const { connect } = servers.get(name) as Server
  for (const seed of SEEDS) {
    const { difference, steps } = await compare(seed, connect)
    expect(difference).toBeUndefined()
    expect(steps).toBeGreaterThan(10)
  }
})

test('each planted flaw is there', () => expect(planted).toHaveLength(FLAWS.length + 1))

test.concurrent.for(planted)('a transport is told from memory when it $flaw', async ({ create }) => {
  let found: string | undefined
  for (let seed = 0; seed < MOST_SEEDS && found === undefined; seed++) {
    const backend = create()
    found = (await compare(seed, () => backend.transport(), { patienceMs: 1_000 })).difference
  }
  expect(found).toMatch(/^Seed \d+: step \d+ of \d+, on a stream that is \w+: \{.*\}\n {2}.*, over memory /)
})

test('a transport without order is not compared', async () => {
  const bus = memoryBus({ reorder: 0.1 })
  await expect(compare(0, () => bus.transport())).rejects.toMatchObject({
    message: expect.stringContaining('without order'),
  })
})

function losesSome(right: Transport): Partial<Transport> {
  let sends = 0
  return { send: (topic, frame) => (++sends % 10 === 0 ? 'sent' : right.send(topic, frame)) }
}
