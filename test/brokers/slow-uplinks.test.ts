import { createHub, type Hub, loadTransport, type Message } from 'rivulet'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Broker, startMosquitto, startNats } from '../support/brokers.ts'
import { startProxy } from '../support/fault-proxy.ts'
import { expectLaws } from '../support/ledger-laws.ts'
import { startRedis } from '../support/redis-servers.ts'
import type { LinkShape } from '../support/slow-lane.ts'

const KINDS = [
  { kind: 'nats', start: startNats },
  { kind: 'mqtt', start: startMosquitto },
  { kind: 'redis', start: startRedis },
] as const
const RATES = [64_000, 250_000, 2_000_000]
const ROUND_TRIPS_MS = [20, 200, 600]
/** Of so much data a link has a few seconds to carry: a barrier behind all of it would miss its deadline. */
const SECONDS_OF_DATA = 5
const MOST_MESSAGES = 300
const PADDING = 'x'.repeat(4_000)

interface Flow {
  readonly publisher: Hub
  readonly listener: Hub
  /** Publishes messages of 4 KB in one go. */
  burst(count: number): void
  /** What became of the connections of both, and why. */
  readonly statuses: string[]
  readonly heard: Map<number, number>
  close(): Promise<void>
}

let flows = 0

async function openFlow(broker: Broker, shape: Required<LinkShape>): Promise<Flow> {
  const proxy = await startProxy(broker, shape)
  const name = `flow-${++flows}` // one that a test has left behind is heard by nobody
  const [publisher, listener] = [await hubOn(proxy.url, name), await hubOn(broker.url, name)]
  const statuses: string[] = []
  for (const hub of [publisher, listener]) hub.on('error', ({ message }) => statuses.push(message))
  const heard = new Map<number, number>()
  const options = { limit: false, maxAgeMs: false } as const
  const note = ({ data }: Message<{ n: number }>) => heard.set(data.n, (heard.get(data.n) ?? 0) + 1)
  await listener.stream<{ n: number }>('uplink', options).subscribe(note as never).ready
  await publisher.ready()
  // A dial that a busy machine makes late is tried again, and no matter here.
  statuses.length = 0
  for (const hub of [publisher, listener]) hub.on('status', (status) => statuses.push(status))
  let published = 0
  return {
    publisher,
    listener,
    statuses,
    heard,
    burst(count) {
      const stream = publisher.stream('uplink', options)
      for (let nth = 0; nth < count; nth++) stream.publish({ n: published++, pad: PADDING })
    },
    async close() {
      await Promise.all([publisher.close(), listener.close()])
      await proxy.close()
    },
  }
}

async function hubOn(url: string, name: string): Promise<Hub> {
  const hub = createHub({ transport: await loadTransport(url), name })
  return hub
}

/**
 * Waits for what was confirmed to arrive; then nothing was lost that is not counted, nothing came twice, nothing went down.
 * A busy machine may miss a barrier: then its messages are counted as unconfirmed, and arrive all the same.
 */
async function expectAllAccounted({ publisher, listener, statuses, heard }: Flow): Promise<void> {
  await publisher.flush()
  const ledger = publisher.ledger()
  const mayHaveArrived = ledger.confirmed + ledger.unconfirmed
  expect(statuses).toEqual([])
  await expect.poll(() => heard.size).toBe(mayHaveArrived)
  await listener.flush()
  expectLaws(ledger)
  expectLaws(listener.ledger())
  expect(ledger).toMatchObject({ inFlight: 0, lost: { offline: 0, failed: 0 } })
  expect(mayHaveArrived + ledger.lost.congested).toBe(ledger.accepted)
  expect([...heard.values()].filter((times) => times > 1)).toEqual([])
}

const brokers = new Map<string, Broker>()
beforeAll(async () => {
  await Promise.all(KINDS.map(async ({ kind, start }) => brokers.set(kind, await start({}))))
})
afterAll(async () => {
  await Promise.all(Array.from(brokers.values(), (broker) => broker.close()))
})

test('a burst over a slow uplink breaks no connection and loses nothing uncounted', async () => {
  const burstOn = async (flow: Flow, shape: Required<LinkShape>) => {
    const carried = (shape.uplinkBytesPerSecond * SECONDS_OF_DATA) / PADDING.length
    flow.burst(Math.min(MOST_MESSAGES, Math.ceil(carried)))
    await expectAllAccounted(flow)
    await flow.close()
  }
  const shapes = RATES.flatMap((uplinkBytesPerSecond) =>
    ROUND_TRIPS_MS.map((roundTripMs) => ({ uplinkBytesPerSecond, roundTripMs })),
  )
  const links = [...brokers.values()].flatMap((broker) => shapes.map((shape) => ({ broker, shape })))
  const open = await Promise.all(links.map(({ broker, shape }) => openFlow(broker, shape)))
  const accounted: Promise<void>[] = []
  for (const [nth, flow] of open.entries()) {
    accounted.push(burstOn(flow, shapes[nth % shapes.length] as Required<LinkShape>))
    // One in each turn: a process that stands still for seconds hears no answers either.
    await new Promise(setImmediate)
  }
  await Promise.all(accounted)
})

test.each(KINDS)(
  'an endless publisher over $kind is slowed down, and its losses are congested',
  async ({ kind }) => {
    const shape = { uplinkBytesPerSecond: 250_000, roundTripMs: 200 }
    const flow = await openFlow(brokers.get(kind) as Broker, shape)
    flow.burst(200)
    // Once the rate is known, some of each burst is refused.
    while (flow.publisher.ledger().lost.congested < 50) {
      await new Promise((resolve) => setTimeout(resolve, 100))
      flow.burst(20)
    }
    await expectAllAccounted(flow)
    await flow.close()
  },
)
