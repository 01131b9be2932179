import { expect, onTestFinished, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import { startEndpoint } from '../packages/gateway/test/support/endpoint.ts'
import { runScenario } from './scenario.ts'
import { startMosquitto, startNats } from './support/brokers.ts'
import { NONE_DROPPED } from './support/dropped.ts'
import { startGateway } from './support/gateway-over-nats.ts'
import { expectLaws } from './support/ledger-laws.ts'
import { REDIS_PROGRAMS, type RedisProgram, startRedis } from './support/redis-servers.ts'

type Broker = Awaited<ReturnType<typeof startNats>>

/** The transports, each as the one string that names it. */
const transports: [string, () => Promise<string>][] = [
  ['memory:', async () => 'memory:scenario'],
  ['threads:', async () => 'threads:scenario'],
  ['mqtt://', async () => urlOf(await startMosquitto())],
  ['mqtt://…?protocol=4', async () => `${urlOf(await startMosquitto())}?protocol=4`],
  ['nats://', async () => urlOf(await startNats())],
  ...REDIS_PROGRAMS.map((server): [string, () => Promise<string>] => [
    `redis:// (${server})`,
    () => redisUrl(server),
  ]),
  ['ws:// to a relay', urlOfRelay],
  ['ws://, through a gateway over nats://', () => startGateway('default', 'elsewhere')],
]

/** Serves pages without a gateway and a broker. Node 20 has no WebSocket of its own. */
async function urlOfRelay(): Promise<string> {
  vi.stubGlobal('WebSocket', WebSocket)
  onTestFinished(() => void vi.unstubAllGlobals())
  const endpoint = await startEndpoint(() => undefined)
  onTestFinished(() => endpoint.close())
  return endpoint.url
}

function urlOf(broker: Broker): string {
  onTestFinished(() => broker.close())
  return broker.url
}

async function redisUrl(server: RedisProgram): Promise<string> {
  return urlOf(await startRedis({ server }))
}

test.each(transports)('the scenario sees the same over %s', async (_, urlOfTransport) => {
  const { ledgers, ...seen } = await runScenario(await urlOfTransport())
  expect(seen).toEqual(OBSERVATIONS)
  expect(ledgers).toEqual([WEST, EAST].map((expected) => expect.objectContaining(expected)))
  for (const ledger of ledgers as Parameters<typeof expectLaws>[0][]) expectLaws(ledger)
})

const numbers = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => ({ n: first + index }))
const from = (source: string) => numbers(1, 5).map(({ n }) => ({ from: source, n }))
const VALUE = {
  when: '1970-01-01T00:00:00.000Z',
  list: [null, null, 0],
  text: 'é 🌊 \0 \ud800',
  in: { a: 1 },
}
const NAMES = 13

const OBSERVATIONS = {
  status: ['up', 'up'],
  exchange: {
    west: { own: from('west'), other: from('east') },
    east: { own: from('east'), other: from('west') },
  },
  values: { here: VALUE, there: VALUE, frozen: [true, true], sameSid: true },
  sizes: {
    outcomes: ['ok', 'ok', 'PAYLOAD_TOO_LARGE', 'INVALID_DATA', 'INVALID_DATA', 'INVALID_DATA'],
    bytes: [4096, 4096],
  },
  rate: {
    accepted: [...Array.from({ length: 8 }, () => true), false, false],
    heard: numbers(0, 5),
    refused: 2,
    dropped: 2,
    told: ['RATE_LIMITED'],
  },
  latest: { heard: [{ n: 1 }, { n: 4 }], conflated: 2 },
  line: numbers(1, 4),
  republishing: {
    west: [{ ask: 1 }, { answer: 1 }, { thanks: 1 }],
    east: [{ ask: 1 }, { answer: 1 }, { thanks: 1 }],
  },
  throwing: {
    heard: numbers(1, 3),
    errors: ['rejected', 'thrown'].flatMap((what) =>
      [1, 2, 3].map((n) => `LISTENER_FAILED on throwing: ${what} at ${n}`),
    ),
    counted: 6,
  },
  schemas: {
    outcomes: ['ok', 'ok', 'SCHEMA_MISMATCH'],
    heardHere: [0, 2000],
    heardThere: [2000],
    dropped: 1,
    told: ['SCHEMA_MISMATCH'],
  },
  names: Array.from({ length: NAMES }, (_, index) => [{ index }]),
  comingAndGoing: [[{ n: 2 }], [{ n: 4 }]],
  iterating: { read: numbers(7, 10), dropped: 6 },
  observing: [1, 4, 9],
  namespaces: { heard: numbers(1, 1), stray: [], received: 0 },
  removal: {
    event: { reason: 'removed', isLocal: false },
    code: 'STREAM_CLOSED',
    before: numbers(1, 1),
    after: numbers(3, 3),
    isNew: true,
  },
  afterClose: 'HUB_CLOSED',
}

const NOTHING_LOST = { offline: 0, congested: 0, failed: 0 }
const NOTHING_REFUSED = {
  invalidData: 0,
  tooLarge: 0,
  schema: 0,
  rateLimited: 0,
  queueFull: 0,
  aborted: 0,
  closed: 0,
}
const WEST = {
  attempts: 72,
  accepted: 63,
  conflated: 2,
  waiting: 0,
  confirmed: 63,
  inFlight: 0,
  unconfirmed: 0,
  refused: { ...NOTHING_REFUSED, invalidData: 3, tooLarge: 1, schema: 1, rateLimited: 2 },
  lost: NOTHING_LOST,
  received: 6,
  delivered: 6,
  dropped: NONE_DROPPED,
  missed: 0,
  reordered: 0,
  listenerErrors: 0,
}

const EAST = {
  attempts: 7,
  accepted: 6,
  conflated: 0,
  waiting: 0,
  confirmed: 6,
  inFlight: 0,
  unconfirmed: 0,
  refused: { ...NOTHING_REFUSED, closed: 1 },
  lost: NOTHING_LOST,
  received: 61,
  delivered: 58,
  missed: 0,
  reordered: 0,
  listenerErrors: 6,
  iteratorDrops: 6,
  dropped: { ...NONE_DROPPED, schema: 1, rateLimited: 2 },
}
