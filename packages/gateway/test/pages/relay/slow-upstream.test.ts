import { setTimeout as delay } from 'node:timers/promises'
import { nats } from '@rivulet/nats'
import type { Hub, Ledger, Message } from 'rivulet'
import { expect, onTestFinished, test } from 'vitest'
import { startNats } from '../../../../../test/support/brokers.ts'
import { startProxy } from '../../../../../test/support/fault-proxy.ts'
import { expectLaws } from '../../../../../test/support/ledger-laws.ts'
import { ending, eventually, makeLive } from '../../../../../test/support/live.ts'
import type { LinkShape } from '../../../../../test/support/slow-lane.ts'
import { HUB, serve } from '../../support/scene.ts'

const PADDING = 'x'.repeat(4_000)
const MANY = 1_000_000
const LIMITS = { ratePerSecond: MANY, burst: MANY, maxMessagesPerSecond: MANY }
const OPTIONS = { limit: false, maxAgeMs: false } as const
/** Of so much data the link has a few seconds to carry. */
const SECONDS_OF_DATA = 5

/** A service on a slow uplink to its broker, with pages, and a listener that has a fast link to the same broker. */
interface SlowService {
  readonly service: Hub
  readonly pages: readonly Hub[]
  /** What became of the connections, and why. */
  readonly statuses: string[]
  readonly heard: string[]
  /** Publishes so many messages of 4 KB on each hub. */
  burst(count: number, hubs?: readonly Hub[]): void
}

async function serveSlowly(shape: LinkShape, count: number): Promise<SlowService> {
  const broker = await ending(startNats())
  const proxy = await startProxy(broker, shape)
  onTestFinished(() => proxy.close())
  const { hub: service, page } = await serve({
    upstream: nats({ servers: new URL(proxy.url).host }),
    ...LIMITS,
  })
  const listener = makeLive({ transport: nats({ servers: new URL(broker.url).host }), name: HUB })
  const heard: string[] = []
  const note = ({ sid }: Message) => void heard.push(sid)
  await listener.stream('uplink', OPTIONS).subscribe(note as never).ready
  await service.ready()
  const pages = await Promise.all(Array.from({ length: count }, (_, nth) => page(`page ${nth}`)))
  const statuses: string[] = []
  for (const hub of [service, ...pages]) {
    hub.on('status', (status) => statuses.push(status))
    hub.on('error', ({ message }) => statuses.push(message))
  }
  let published = 0
  const burst = (messages: number, hubs: readonly Hub[] = pages) => {
    for (const hub of hubs) {
      for (let nth = 0; nth < messages; nth++)
        hub.stream('uplink', OPTIONS).publish({ n: published++, pad: PADDING })
    }
  }
  return { service, pages, statuses, heard, burst }
}

/** Waits for what was confirmed to arrive; then nothing is lost that no ledger has, and nothing went down. */
async function expectAllAccounted({ service, pages, statuses, heard }: SlowService): Promise<void> {
  const hubs = [service, ...pages]
  await Promise.all(hubs.map((hub) => hub.flush()))
  const ledgers = hubs.map((hub) => hub.ledger())
  expect(statuses).toEqual([])
  for (const ledger of ledgers) {
    expectLaws(ledger)
    expect(ledger).toMatchObject({ unconfirmed: 0, inFlight: 0, lost: { offline: 0, failed: 0 } })
    expect(ledger.confirmed + ledger.lost.congested).toBe(ledger.attempts)
  }
  await eventually(() => heard.length).toBe(sumOf(ledgers, ({ confirmed }) => confirmed))
  expect(new Set(heard).size).toBe(heard.length)
}

function sumOf(ledgers: readonly Ledger[], countOf: (ledger: Ledger) => number): number {
  return ledgers.reduce((sum, ledger) => sum + countOf(ledger), 0)
}

test.each([
  { bytesPerSecond: 64_000, roundTripMs: 600, pages: 1 },
  { bytesPerSecond: 250_000, roundTripMs: 200, pages: 1 },
  { bytesPerSecond: 250_000, roundTripMs: 600, pages: 20 },
  { bytesPerSecond: 64_000, roundTripMs: 200, pages: 20 },
])(
  'a burst of $pages pages passes at $bytesPerSecond bytes/s and $roundTripMs ms',
  async ({ pages: count, bytesPerSecond, roundTripMs }) => {
    const scene = await serveSlowly({ uplinkBytesPerSecond: bytesPerSecond, roundTripMs }, count)
    scene.burst(Math.ceil((bytesPerSecond * SECONDS_OF_DATA) / PADDING.length / count))
    await expectAllAccounted(scene)
  },
)

test('pages and a service that never stop are slowed down, by losses as congested', async () => {
  const scene = await serveSlowly({ uplinkBytesPerSecond: 250_000, roundTripMs: 200 }, 40)
  const everybody = [scene.service, ...scene.pages]
  const congested = () =>
    sumOf(
      scene.pages.map((page) => page.ledger()),
      ({ lost }) => lost.congested,
    )
  // More than what one round brings, so that it is refused over some seconds.
  while (congested() < 400) {
    scene.burst(2, everybody)
    await delay(100)
  }
  await expectAllAccounted(scene)
})
