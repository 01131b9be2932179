import { type NatsOptions, nats } from '@rivulet/nats'
import type { Hub, Ledger, Message } from 'rivulet'
import { expect, onTestFinished, test } from 'vitest'
import { addressOf } from '../../../test/support/adapters/scene.ts'
import { type Broker, startNatsCluster } from '../../../test/support/brokers.ts'
import { closeLawfully, eventually, makeLive, openLive } from '../../../test/support/live.ts'
import { bareClient } from './scene.ts'

const MEMBERS = 3
const EACH = 50

async function cluster(): Promise<Broker[]> {
  const brokers = await startNatsCluster(MEMBERS)
  onTestFinished(async () => void (await Promise.all(brokers.map((broker) => broker.close()))))
  return brokers
}

/** Opens a hub on all servers, or on the given ones, with a function that finds its current server. */
async function openOn(brokers: readonly Broker[], name: string, options?: NatsOptions) {
  const servers = brokers.map(addressOf)
  const hub = makeLive({ transport: nats({ servers, name, ...options }) })
  hub.on('error', () => {})
  await hub.ready()
  return { hub, server: () => serverOf(brokers, name) }
}

async function serverOf(brokers: readonly Broker[], name: string): Promise<Broker | undefined> {
  for (const broker of brokers.filter(({ alive }) => alive)) {
    if ((await namesOn(broker)).includes(name)) return broker
  }
  return undefined
}

async function namesOn(broker: Broker): Promise<unknown[]> {
  const { connections } = await broker.monitor<{ connections: { name?: string }[] }>('connz')
  return connections.map(({ name }) => name)
}

function listen(hub: Hub): Message[] {
  const heard: Message[] = []
  hub
    .stream('cluster', { limit: false })
    .subscribe((message) => void (message.isLocal || heard.push(message)))
  return heard
}

/** Publishes until a message arrives: servers of a cluster that has just started learn of joins late. */
async function publishUntilHeard(from: Hub, heard: readonly Message[]): Promise<void> {
  const before = heard.length
  await eventually(() => {
    from.stream('cluster', { limit: false }).publish({ probe: true })
    return heard.length > before
  }).toBe(true)
  await from.flush()
}

/** Publishes a series and expects it to arrive complete, once and in order. */
async function expectFlow(from: Hub, heard: readonly Message[], series: string): Promise<void> {
  await publishUntilHeard(from, heard)
  const expected = Array.from({ length: EACH }, (_, n) => ({ series, n }))
  for (const data of expected) from.stream('cluster', { limit: false }).publish(data)
  const heardOfSeries = () =>
    heard.map(({ data }) => data).filter((data) => Reflect.get(data as object, 'series') === series)
  await eventually(heardOfSeries).toEqual(expected)
}

test('hubs on different servers exchange messages', async () => {
  const brokers = await cluster()
  const hubs = await Promise.all(brokers.map(({ url }) => openLive(url)))
  const heard = hubs.map(listen)
  await Promise.all(hubs.map((hub) => hub.stream('cluster').subscribe(() => {}).ready))
  for (const [from, hub] of hubs.entries()) {
    for (const [to, messages] of heard.entries()) {
      if (from !== to) await expectFlow(hub, messages, `${from} to ${to}`)
    }
  }
  for (const ledger of await closeLawfully(...hubs))
    expect(ledger).toMatchObject({ missed: 0, unconfirmed: 0 })
})

test('a hub whose server is killed moves to another one by itself', { timeout: 60_000 }, async () => {
  const brokers = await cluster()
  const [walker, witness] = [await openOn(brokers, 'walker'), await openOn(brokers, 'witness')]
  const [heardByWalker, heardByWitness] = [listen(walker.hub), listen(witness.hub)]
  await expectFlow(walker.hub, heardByWitness, 'before')

  const statuses: string[] = []
  walker.hub.on('status', (status) => statuses.push(status))
  for (const round of [1, 2]) {
    const server = (await walker.server()) as Broker
    await server.kill()
    await eventually(() => statuses.filter((status) => status === 'up').length).toBe(round)
    await witness.hub.ready()
    expect(await walker.server()).not.toBe(server)
    await expectFlow(walker.hub, heardByWitness, `after ${round}, there`)
    await expectFlow(witness.hub, heardByWalker, `after ${round}, back`)
  }
  expect(statuses).toEqual(['down', 'up', 'down', 'up'])
  for (const ledger of await closeLawfully(walker.hub, witness.hub)) {
    expect(ledger.dropped).toMatchObject({ duplicate: 0, malformed: 0, stale: 0 })
  }
})

// Row 13.
test('a hub whose server announces its shutdown moves to another one and stays up', async () => {
  const brokers = await cluster()
  const [walker, witness] = [await openOn(brokers, 'walker'), await openOn(brokers, 'witness')]
  const [heardByWalker, heardByWitness] = [listen(walker.hub), listen(witness.hub)]
  await expectFlow(walker.hub, heardByWitness, 'before')
  const statuses: string[] = []
  walker.hub.on('status', (status) => statuses.push(status))

  const server = (await walker.server()) as Broker
  server.signal('SIGUSR2')
  await eventually(() => namesOn(server)).not.toContain('walker')
  // The connection ends while the server still runs, which by itself would keep it for many seconds more.
  expect(server.alive).toBe(true)
  expect(await walker.server()).not.toBe(server)
  await expectFlow(walker.hub, heardByWitness, 'there')
  await expectFlow(witness.hub, heardByWalker, 'back')
  await server.kill()
  await expectFlow(walker.hub, heardByWitness, 'without it')
  expect(statuses).toEqual([])
  const [sent, got] = await closeLawfully(walker.hub, witness.hub)
  const { accepted, confirmed, unconfirmed, lost } = sent as Ledger
  expect(confirmed + unconfirmed + lost.offline).toBe(accepted)
  expect(got?.dropped).toMatchObject({ duplicate: 0, malformed: 0, stale: 0 })
})

test('each message arrives once while servers shut down one after another', async () => {
  const brokers = (await cluster()) as [Broker, Broker, Broker]
  // Each begins on a server that will shut down, which announces the others.
  const [one, other] = ['one', 'other'].map((name, index) => {
    const servers = addressOf(brokers[index] as Broker)
    return openOn(brokers, name, { servers, discover: true })
  }) as [ReturnType<typeof openOn>, ReturnType<typeof openOn>]
  const hubs = [(await one).hub, (await other).hub]
  const heard = hubs.map(listen)
  const events: unknown[] = []
  for (const hub of hubs) {
    const stream = hub.stream('cluster', { limit: false })
    await stream.subscribe(() => {}).ready
    for (const event of ['lost', 'dropped', 'gap', 'joined'] as const)
      stream.on(event, (value) => events.push(value))
    for (const event of ['status', 'error'] as const) hub.on(event, (value) => events.push(value))
  }
  // Messages of another client have no number, so that a hub can't detect a duplicate.
  const client = await bareClient(brokers[2])
  const publishers: Record<string, (data: Published) => void> = {
    one: (data) => hubs[0]?.stream<Published>('cluster', { limit: false }).publish(data),
    other: (data) => hubs[1]?.stream<Published>('cluster', { limit: false }).publish(data),
    client: (data) => client.publish('rivulet.default.cluster', JSON.stringify({ data })),
  }
  const stops = Object.entries(publishers).map(([from, publish]) => publishing(from, publish))
  const flows = [
    [0, 'other'],
    [0, 'client'],
    [1, 'one'],
    [1, 'client'],
  ] as const
  // The servers of a new cluster learn of each other's accounts one by one.
  for (const [hub, from] of flows) await eventually(() => numbersOf(heard[hub], from)).not.toEqual([])
  for (const server of [brokers[0], brokers[1]]) {
    server.signal('SIGUSR2')
    await eventually(() => namesOn(server)).toEqual([])
    await server.kill()
  }
  const published = Object.fromEntries(stops.map((stop, index) => [Object.keys(publishers)[index], stop()]))
  await client.flush()
  for (const [index, from] of ['one', 'other'].entries()) {
    await hubs[index]?.flush()
    const accepted = published[from]
    expect(hubs[index]?.ledger()).toMatchObject({ accepted, confirmed: accepted, unconfirmed: 0 })
  }
  for (const [hub, from] of flows) {
    const last = (published[from] as number) - 1
    await eventually(() => numbersOf(heard[hub], from).at(-1)).toBe(last)
    const [first = 0, ...others] = numbersOf(heard[hub], from)
    expect(others).toEqual(Array.from({ length: last - first }, (_, n) => first + 1 + n))
  }
  for (const { dropped, missed } of await closeLawfully(...hubs)) {
    expect(Object.entries({ ...dropped, missed }).filter(([, count]) => count !== 0)).toEqual([])
  }
  expect(events.filter((event) => event !== 'closed')).toEqual([])
})

interface Published {
  readonly from: string
  readonly n: number
}

/** Publishes a numbered message each millisecond until stopped; stopping returns their number. */
function publishing(from: string, publish: (data: Published) => void): () => number {
  let count = 0
  const timer = setInterval(() => publish({ from, n: count++ }), 1)
  onTestFinished(() => clearInterval(timer))
  return () => {
    clearInterval(timer)
    return count
  }
}

/** Returns the received numbers of a publisher, sorted. */
function numbersOf(heard: readonly Message[] | undefined, publisher: string): number[] {
  const all = heard?.map(({ data }) => data as unknown as Published) ?? []
  return all.flatMap(({ from, n }) => (from === publisher ? [n] : [])).sort((one, other) => one - other)
}
