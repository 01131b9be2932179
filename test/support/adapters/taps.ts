import type { Hub, Message, Tap, Transport } from 'rivulet'
import { expect, test } from 'vitest'
import type { Broker } from '../brokers.ts'
import { expectLaws } from '../ledger-laws.ts'
import { eventually, makeLive } from '../live.ts'
import type { AdapterScene } from './scene.ts'

/** What the tests of `hub.tap` need of an adapter. A place is what its broker calls a subject or a channel, as bytes. */
export interface Taps<ServerOptions, Options> {
  readonly scene: AdapterScene<ServerOptions, Options>
  readonly server?: ServerOptions
  /** Publishes a frame on each place with a bare client; resolves when the server has them. */
  publish(broker: Broker, places: readonly Buffer[], frame: string): Promise<void>
  /** The place of the stream `positions` of the hub `fleet`. */
  readonly positions: Buffer
  /** Places below the hub `fleet` that no stream has. */
  readonly strange: readonly Buffer[]
  /** Places of other hubs, and of other programs. */
  readonly elsewhere: readonly Buffer[]
}

const STREAMS = 2_000
const NO_LIMIT = { limit: false } as const

/** Tests `hub.tap` over the servers of an adapter: what it hears, of whom, and through outages. */
export function testTaps<ServerOptions, Options>(taps: Taps<ServerOptions, Options>): void {
  testHearing(taps)
  testForeignClients(taps)
  testOutages(taps)
}

function testHearing<ServerOptions, Options>({ scene, server }: Taps<ServerOptions, Options>): void {
  test(`a tap hears ${STREAMS} streams, each message once, and its ledger adds up`, async () => {
    const broker = await scene.server(server)
    const { here, there, transport, heard, tap } = await tapped(() => scene.transportTo(broker))
    const received: unknown[] = []
    const joined = there.stream('stream 0').subscribe(({ data, isLocal }) => isLocal || received.push(data))
    await joined.ready
    const names = Array.from({ length: STREAMS }, (_, index) => `stream ${index}`)
    for (const round of [1, 2]) for (const name of names) here.stream(name).publish({ name, round })
    there.stream('own').publish({ n: 1 })
    await Promise.all([here.flush(), there.flush()])
    const expected = names.flatMap((name) =>
      [1, 2].map((round) => `${name} {"name":"${name}","round":${round}}`),
    )
    await eventually(() => heard.length).toBe(expected.length)
    expect(heard.sort()).toEqual(expected.sort())
    await eventually(() => received.length).toBe(2)
    const echo = transport.capabilities.echoes ? 1 : 0
    expect(tap.ledger()).toMatchObject({ delivered: 2 * STREAMS, missed: 0, reordered: 0, dropped: { echo } })
    expectLaws(tap.ledger())
    const delivered = [...tap.streams()].map(({ ledger }) => ledger.delivered)
    expect(delivered.reduce((sum, each) => sum + each, 0)).toBe(2 * STREAMS)
    expect(there.ledger()).toMatchObject({ delivered: 2, missed: 0 })
  })
}

function testForeignClients<ServerOptions, Options>(taps: Taps<ServerOptions, Options>): void {
  const { scene, server, publish, positions, strange, elsewhere } = taps

  test("a tap drops and counts frames of unknown topics, and gets no other hub's", async () => {
    const broker = await scene.server(server)
    const { there, heard, tap } = await tapped(() => scene.transportTo(broker))
    const statuses: string[] = []
    there.on('status', (status) => statuses.push(status))
    await publish(broker, [...elsewhere, ...strange, ...elsewhere, positions], '{"data":{"n":1}}')
    await eventually(() => heard).toEqual(['positions {"n":1}'])
    expect(tap.ledger()).toMatchObject({
      received: strange.length + 1,
      delivered: 1,
      dropped: { malformed: strange.length },
    })
    expect([...tap.streams()].map(({ name }) => name)).toEqual(['positions'])
    expectLaws(tap.ledger())
    expect(statuses).toEqual([])
  })

  test('a tap that has ended hears nothing more, and a new one does', async () => {
    const broker = await scene.server(server)
    const { there, heard, tap } = await tapped(() => scene.transportTo(broker))
    await publish(broker, [positions], '{"data":{"n":1}}')
    await eventually(() => heard).toHaveLength(1)
    tap.unsubscribe()
    const again: unknown[] = []
    const next = there.tap(({ data }) => again.push(data))
    await next.ready
    await publish(broker, [positions], '{"data":{"n":2}}')
    await eventually(() => again).toEqual([{ n: 2 }])
    expect(heard).toHaveLength(1)
    expect(next.ledger()).toMatchObject({ received: 1, delivered: 1 })
  })
}

function testOutages<ServerOptions, Options>({ scene, server }: Taps<ServerOptions, Options>): void {
  const outages: Record<
    string,
    [begin: (broker: Broker) => Promise<void>, end: (broker: Broker) => unknown]
  > = {
    killed: [(broker) => broker.kill(), (broker) => broker.restart()],
    stopped: [(broker) => broker.stop(), (broker) => broker.cont()],
  }

  test.each(Object.entries(outages))('a tap hears again after its server was %s', async (_, [begin, end]) => {
    const broker = await scene.server(server)
    const { here, there, heard, tap } = await tapped(() => scene.transportTo(broker))
    const stream = here.stream('a')
    stream.publish({ n: 1 })
    await eventually(() => heard).toEqual(['a {"n":1}'])
    await begin(broker)
    stream.publish({ n: 2 })
    await eventually(() => [here.status, there.status]).toEqual(['down', 'down'])
    stream.publish({ n: 3 })
    await end(broker)
    await Promise.all([here.ready(), there.ready()])
    stream.publish({ n: 4 })
    await eventually(() => heard.at(-1)).toBe('a {"n":4}')
    expect(heard.filter((each) => each !== 'a {"n":2}')).toEqual(['a {"n":1}', 'a {"n":4}'])
    expect(stream.ledger().lost.offline).toBeGreaterThanOrEqual(1)
    expect(tap.ledger()).toMatchObject({ missed: 0, dropped: { malformed: 0, duplicate: 0 } })
    expectLaws(tap.ledger())
  })
}

interface Tapped {
  readonly here: Hub
  readonly there: Hub
  readonly transport: Transport
  readonly tap: Tap
  /** The name of the stream, and the data as JSON. */
  readonly heard: string[]
}

/** Two hubs `fleet`, of which the second has a tap. */
async function tapped(transportTo: () => Transport): Promise<Tapped> {
  const transport = transportTo()
  const timeouts = { idleMs: 2_000 } // who only listens notices an outage soon
  const here = makeLive({ transport: transportTo(), name: 'fleet', streamDefaults: NO_LIMIT, timeouts })
  const there = makeLive({ transport, name: 'fleet', timeouts })
  for (const hub of [here, there]) hub.on('error', () => {})
  const heard: string[] = []
  const tap = there.tap(({ data }: Message, stream) => heard.push(`${stream} ${JSON.stringify(data)}`))
  await Promise.all([tap.ready, here.ready()])
  return { here, there, transport, heard, tap }
}
