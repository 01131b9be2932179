import { alternate } from '../measure.mjs'
import { jsonBytes } from '../messages.mjs'
import { startBroker } from '../transport/broker.mjs'
import { backendOf, CLIENTS } from '../transport/clients.mjs'
import { openEnds } from '../transport/ends.mjs'

// As in the targets; `x` becomes the number of the message and `t` its time of publishing, in microseconds.
const TEMPLATE = { x: 0, y: 456, user: 'u-1234', t: 0 }
const MANY_STREAMS = 1_000
const FEW_STREAMS = 50
const FLAT_OUT_MESSAGES = 200_000
const PACED_PER_SECOND = 1_000
const PACED_MESSAGES = 3_000
// The most bytes in flight: below the limits of brokers, and below the 8 MiB that a hub allows in flight.
const WINDOW_BYTES = 2 * 1024 * 1024
const WINDOW_MESSAGES = 20_000

export const suite = {
  title: 'From one process to another',
  reading:
    'Two processes and a broker between them on this machine; the memory bus links two hubs in one process, and the threads are two of one process. Flat out: messages a second from the first publish to the last arrival, all of which arrived in order. Latency: from publish to subscriber at 1 000 messages a second. The bare clients do JSON.stringify and JSON.parse and nothing else.',
  picture: {
    cases: ['nats: one stream flat out', 'mqtt: one stream flat out', 'redis: one stream flat out'],
  },
  async plan({ transport, message, isQuick }) {
    const template = message ?? TEMPLATE
    const backends = transport.length > 0 ? transport.map(givenBackend) : await ownBackends()
    const races = backends.map((each) =>
      raceOf({ ...each, template, streams: isQuick ? FEW_STREAMS : MANY_STREAMS }),
    )
    return {
      cases: races.flatMap((race) => casesOf(race, isQuick)),
      async close() {
        for (const race of races) await race.close()
        for (const { broker } of backends) await broker?.close()
      },
    }
  },
}

function givenBackend(url) {
  return { backend: backendOf(url), url }
}

async function ownBackends() {
  const backends = ['memory', 'threads'].map((backend) => ({
    backend,
    url: `${backend}:bench-${process.pid}`,
  }))
  for (const backend of ['nats', 'mqtt', 'redis']) {
    const broker = await startBroker(backend)
    backends.push({ backend, url: broker.url, broker })
  }
  return backends
}

function casesOf(race, isQuick) {
  const scale = isQuick ? 0.02 : 1
  const flatOut = { messages: FLAT_OUT_MESSAGES * scale, window: windowFor(race.template) }
  const paced = { messages: PACED_MESSAGES * scale, perSecond: PACED_PER_SECOND, window: WINDOW_MESSAGES }
  return [
    throughputCase(race, 'one stream flat out', { ...flatOut, streams: 1 }),
    throughputCase(race, `${race.streams.toLocaleString('en')} streams in turn, flat out`, {
      ...flatOut,
      streams: race.streams,
    }),
    ...latencyCases(race, { ...paced, streams: 1, isLatencyWanted: true }),
  ]
}

function windowFor(template) {
  return Math.min(WINDOW_MESSAGES, Math.floor(WINDOW_BYTES / (jsonBytes(template) + 100)))
}

function throughputCase(race, what, details) {
  return {
    ...{ name: `${race.backend}: ${what}`, unit: 'messages a second', isLessBetter: false },
    parameters: { backend: race.backend, streams: details.streams },
    measure: (pace, onRound) =>
      race.run(pace, onRound, async ({ ends }) => details.messages / (await ends.run(details)).seconds),
  }
}

/** One run gives both percentiles. */
function latencyCases(race, details) {
  let runs
  const valuesOf = (name) =>
    runs.map(({ rounds, ...row }) => ({ ...row, rounds: rounds.map((latencies) => latencies[name]) }))
  return ['p50', 'p99'].map((name) => ({
    ...{
      name: `${race.backend}: latency, ${name}`,
      unit: 'µs from publish to subscriber',
      isLessBetter: true,
    },
    parameters: { backend: race.backend, percentile: name, perSecond: details.perSecond },
    async measure(pace, onRound) {
      runs ??= await race.run(pace, onRound, ({ ends }) => ends.run(details))
      return valuesOf(name)
    },
  }))
}

/** Keeps all clients of a backend connected, and lets them take turns. */
function raceOf({ backend, url, template, streams }) {
  const racers = []
  const open = async () => {
    for (const [client, { name, group }] of CLIENTS[backend].entries()) {
      const topics = Array.from({ length: streams }, (_, index) => `bench-${process.pid}-${client}-${index}`)
      racers.push({ name, group, ends: await openEnds({ backend, client, url, topics, template }) })
    }
  }
  return {
    ...{ backend, template, streams },
    async run(pace, onRound, measure) {
      if (racers.length === 0) await open()
      return alternate(racers, pace, onRound, measure)
    },
    async close() {
      for (const { ends } of racers) await ends.close()
    },
  }
}
