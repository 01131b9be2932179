import type { Ledger } from 'rivulet'
import { expect, onTestFinished, test } from 'vitest'
import { type Broker, startMosquitto, startNats } from '../support/brokers.ts'
import { bundleProgram } from '../support/bundle-program.ts'
import { expectLaws } from '../support/ledger-laws.ts'
import { ending, eventually } from '../support/live.ts'
import { startCommand, startScript } from '../support/program.ts'
import { redisCommand, startRedis } from '../support/redis-servers.ts'

// What pages leave behind is tested with @rivulet/gateway.
// Rows 22 and 44 of the catalogue of faults: one subscription a topic, and none that stays.
const PROGRAM = bundleProgram('test/brokers/leaks-process.ts')
const STREAMS = 100
const TIMEOUT_MS = 300_000
// A hundred bytes a round or five kilobytes a connection would be as much. A stream is far larger than two hundred
// bytes; what is remembered of the last topics and origins may be a megabyte more or less.
const MAX_HEAP_GROWTH_BYTES = { rounds: 1_000_000, streams: 2_000_000, connections: 1_000_000 }
const STEPS = ['rounds', 'streams', 'connections'] as const

interface Holding {
  readonly handles: readonly string[]
  readonly heapUsed: number
  readonly listeners: number
}

/** What a broker counts. */
interface Counts {
  readonly subscriptions: number
  readonly connections: number
}

test('nothing stays behind on NATS', { timeout: TIMEOUT_MS }, async () => {
  const broker = await ending(startNats({ monitor: true }))
  await expectNoLeak(broker.url, () => natsCounts(broker))
})

test.for([5, 4])('nothing stays behind on MQTT, protocol %i', { timeout: TIMEOUT_MS }, async (protocol) => {
  const broker = await ending(startMosquitto({ config: 'sys_interval 1\nset_tcp_nodelay true' }))
  const counts = mosquittoCounts(broker)
  await expectNoLeak(`${broker.url}?protocol=${protocol}`, async () => counts())
})

test('nothing stays behind on Redis', { timeout: TIMEOUT_MS }, async () => {
  const broker = await ending(startRedis())
  await expectNoLeak(broker.url, () => redisCounts(broker))
})

async function expectNoLeak(url: string, countsOf: () => Promise<Counts>): Promise<void> {
  const program = startScript(PROGRAM, [url], ['--expose-gc'])
  onTestFinished(() => program.kill())
  const baseline = await program.json<Holding>('baseline ')
  await eventually(countsOf).toEqual({ subscriptions: 0, connections: 1 })
  program.tell('go')

  await program.line('subscribed')
  await eventually(countsOf).toEqual({ subscriptions: STREAMS, connections: 1 })
  program.tell('go')

  let heapBefore = baseline.heapUsed
  for (const step of STEPS) {
    const { handles, listeners, heapUsed } = await program.json<Holding>(`${step} `)
    expect({ handles, listeners }).toEqual({ handles: baseline.handles, listeners: baseline.listeners })
    expect(heapUsed - heapBefore).toBeLessThan(MAX_HEAP_GROWTH_BYTES[step])
    heapBefore = heapUsed
    await eventually(countsOf).toEqual({ subscriptions: 0, connections: 1 })
    program.tell('go')
  }
  const ledger = await program.json<Ledger>('ledger ')
  expectLaws(ledger)
  expect(ledger).toMatchObject({ subscribers: 0, listenerErrors: 0 })
  expect(await program.ended).toEqual({ code: 0, signal: null, stderr: '' })
}

async function natsCounts(broker: Broker): Promise<Counts> {
  const { connections } = await broker.monitor<{ connections: { subscriptions: number }[] }>('connz')
  const subscriptions = connections.reduce((sum, connection) => sum + connection.subscriptions, 0)
  return { subscriptions, connections: connections.length }
}

/** Counts without the connection that asks. */
async function redisCounts(broker: Broker): Promise<Counts> {
  const clients = (await redisCommand(broker, 'CLIENT', 'LIST')).split('\n').filter((line) => line !== '')
  const subscriptions = clients.reduce((sum, line) => sum + Number(/ sub=(\d+)/.exec(line)?.[1]), 0)
  return { subscriptions, connections: clients.length - 1 }
}

/** Watches what mosquitto says of itself, without the watcher. */
function mosquittoCounts(broker: Broker): () => Counts {
  const topics = {
    subscriptions: '$SYS/broker/subscriptions/count',
    connections: '$SYS/broker/clients/connected',
  }
  const watcher = startCommand('mosquitto_sub', [
    '-h',
    '127.0.0.1',
    '-p',
    `${broker.port}`,
    '-F',
    '%t %p',
    ...Object.values(topics).flatMap((topic) => ['-t', topic]),
  ])
  onTestFinished(() => watcher.kill())
  const last = (topic: string) =>
    Number(
      watcher.lines
        .filter((line) => line.startsWith(topic))
        .at(-1)
        ?.split(' ')[1],
    )
  return () => ({
    subscriptions: last(topics.subscriptions) - Object.keys(topics).length,
    connections: last(topics.connections) - 1,
  })
}
