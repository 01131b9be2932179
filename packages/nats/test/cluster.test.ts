import { nats } from '@rivulet/nats'
import type { Hub, Ledger, Message } from 'rivulet'
import { expect, onTestFinished, test } from 'vitest'
import { type Broker, startNatsCluster } from '../../../test/support/brokers.ts'
import { closeLawfully, eventually, makeLive, openLive } from '../../../test/support/live.ts'

const MEMBERS = 3
const EACH = 50

async function cluster(): Promise<Broker[]> {
  const brokers = await startNatsCluster(MEMBERS)
  onTestFinished(async () => void (await Promise.all(brokers.map((broker) => broker.close()))))
  return brokers
}

/** A hub that may use every server, and how to tell which one it uses. */
async function openOn(brokers: readonly Broker[], name: string) {
  const servers = brokers.map(({ port }) => `127.0.0.1:${port}`)
  const hub = makeLive({ transport: nats({ servers, name }) })
  hub.on('error', () => {})
  await hub.ready()
  return { hub, server: () => serverOf(brokers, name) }
}

async function serverOf(brokers: readonly Broker[], name: string): Promise<Broker | undefined> {
  for (const broker of brokers.filter(({ alive }) => alive)) {
    const { connections } = await broker.monitor<{ connections: { name?: string }[] }>('connz')
    if (connections.some((connection) => connection.name === name)) return broker
  }
  return undefined
}

function listen(hub: Hub): Message[] {
  const heard: Message[] = []
  hub
    .stream('cluster', { limit: false })
    .subscribe((message) => void (message.isLocal || heard.push(message)))
  return heard
}

/**
 * Publishes until a message is heard: that a join is confirmed says that the own server knows of it, which tells the
 * other ones a moment later.
 */
async function publishUntilHeard(from: Hub, heard: readonly Message[]): Promise<void> {
  const before = heard.length
  await eventually(() => {
    from.stream('cluster', { limit: false }).publish({ probe: true })
    return heard.length > before
  }).toBe(true)
  await from.flush()
}

/** Publishes a series and expects it to be heard whole, once and in order. */
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
test('a hub whose server says that it will shut down moves to another one at once', async () => {
  const brokers = await cluster()
  const [walker, witness] = [await openOn(brokers, 'walker'), await openOn(brokers, 'witness')]
  const [heardByWalker, heardByWitness] = [listen(walker.hub), listen(witness.hub)]
  await expectFlow(walker.hub, heardByWitness, 'before')
  const statuses: string[] = []
  walker.hub.on('status', (status) => statuses.push(status))

  const server = (await walker.server()) as Broker
  server.signal('SIGUSR2')
  await eventually(() => statuses).toEqual(['down', 'up'])
  // It goes while the server still runs, which by itself would keep it for many seconds more.
  expect(server.alive).toBe(true)
  expect(await walker.server()).not.toBe(server)
  await witness.hub.ready()
  await expectFlow(walker.hub, heardByWitness, 'there')
  await expectFlow(witness.hub, heardByWalker, 'back')
  await server.kill()
  await expectFlow(walker.hub, heardByWitness, 'without it')
  expect(statuses).toEqual(['down', 'up'])
  const [sent, got] = await closeLawfully(walker.hub, witness.hub)
  const { accepted, confirmed, unconfirmed, lost } = sent as Ledger
  expect(confirmed + unconfirmed + lost.offline).toBe(accepted)
  expect(got?.dropped).toMatchObject({ duplicate: 0, malformed: 0, stale: 0 })
})
