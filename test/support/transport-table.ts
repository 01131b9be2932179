import { memoryBus } from '@rivulet/memory'
import { mqtt } from '@rivulet/mqtt'
import { nats } from '@rivulet/nats'
import { redis } from '@rivulet/redis'
import { replay } from '@rivulet/replay'
import { threads } from '@rivulet/threads'
import type { Capabilities, Transport } from 'rivulet'
import { WebSocket } from 'ws'
import { startEndpoint } from '../../packages/gateway/test/support/endpoint.ts'
import { MAX_PAGE_FRAME_BYTES } from '../../packages/websocket/src/base/protocol.ts'
import { websocket } from '../../packages/websocket/src/index.ts'
import { topicOf } from '../../src/message/topic.ts'
import { type Broker, startMosquitto, startNats } from './brokers.ts'
import { startRedis } from './redis-servers.ts'

const MARKS = /<!-- transports -->\n[\s\S]*?<!-- \/transports -->/
const SMALL_FRAME_BYTES = 65_536

/** A transport's package, its schemes, and what it claims on one broker and on one that takes small frames only. */
interface Row {
  readonly name: string
  readonly schemes: readonly string[]
  /** By protocol, where there are several. */
  readonly claims: ReadonlyMap<string, { readonly usual: Capabilities; readonly limited: Capabilities }>
  /** The largest frame on any broker, in bytes. */
  readonly mostBytes?: number
  /** What to say of how far frames travel, in place of what the scope says. */
  readonly reaches?: string
}

/** A transport of a file that can be read; it is not played for the table. */
const RECORDING = replay({ file: import.meta.filename })

/** The schemes of each package, as `openHub` knows them. */
export const SCHEMES = {
  '@rivulet/memory': ['memory:'],
  '@rivulet/mqtt': ['mqtt:', 'mqtts:', 'mqtt+ws:', 'mqtt+wss:'],
  '@rivulet/nats': ['nats:', 'tls:'],
  '@rivulet/redis': [
    ...(['redis:', 'rediss:', 'valkey:', 'valkeys:'] as const),
    ...(['redis-sentinel:', 'rediss-sentinel:', 'valkey-sentinel:', 'valkeys-sentinel:'] as const),
  ],
  '@rivulet/replay': ['replay:'],
  '@rivulet/threads': ['threads:'],
  '@rivulet/websocket': ['ws:', 'wss:'],
} as const

const HEADER = `| package | URL | reaches | own frames come back | ordered per publisher | taps a hub | largest frame |
|---|---|---|---|---|---|---|
| none | none | this process | no | yes | no | none |`

/** Opens every transport on real brokers, and writes the table of what they then claim. */
export async function transportTable(): Promise<string> {
  const brokers = await Promise.all([
    startNats(),
    startNats({ config: `max_payload: ${SMALL_FRAME_BYTES}` }),
    startMosquitto(),
    startMosquitto({ config: `max_packet_size ${SMALL_FRAME_BYTES}` }),
    startRedis(),
    startRedis({ config: 'proto-max-bulk-len 1mb' }),
  ])
  try {
    const rows = await rowsOf(brokers as Brokers)
    return [HEADER, ...rows.map(lineOf)].join('\n')
  } finally {
    await Promise.all(brokers.map((broker) => broker.close()))
  }
}

/** Puts a table between the marks of a Markdown text. */
export function withTable(markdown: string, table: string): string {
  return markdown.replace(MARKS, () => `<!-- transports -->\n${table}\n<!-- /transports -->`)
}

type Brokers = [Broker, Broker, Broker, Broker, Broker, Broker]

async function rowsOf([nats1, nats2, mosquitto1, mosquitto2, redis1, redis2]: Brokers): Promise<Row[]> {
  const overMqtt = (broker: Broker, protocol: 4 | 5) => mqtt({ url: broker.url, protocol })
  const overRedis = (broker: Broker) => redis({ servers: broker.url })
  const bus = memoryBus()
  return [
    await rowOf('@rivulet/memory', { '': [bus.transport(), bus.transport()] }),
    await rowOf('@rivulet/mqtt', {
      'MQTT 5': [overMqtt(mosquitto1, 5), overMqtt(mosquitto2, 5)],
      '3.1.1': [overMqtt(mosquitto1, 4), overMqtt(mosquitto2, 4)],
    }),
    await rowOf('@rivulet/nats', { '': [overNats(nats1), overNats(nats2)] }),
    await rowOf('@rivulet/redis', { '': [redis1, redis2].map(overRedis) as [Transport, Transport] }),
    {
      ...(await rowOf('@rivulet/replay', { '': [RECORDING, RECORDING] })),
      reaches: 'nowhere: it plays a recording',
    },
    await rowOf('@rivulet/threads', { '': [threads('table'), threads('table')] }),
    await rowOfPages(nats1, nats2),
  ]
}

function overNats(broker: Broker): Transport {
  return nats({ servers: `127.0.0.1:${broker.port}` })
}

/** Pages of servers that relay to these brokers. */
async function rowOfPages(...brokers: [Broker, Broker]): Promise<Row> {
  const endpoints = await Promise.all(brokers.map((broker) => startEndpoint(() => overNats(broker))))
  const [usual, limited] = endpoints.map(({ url }) => websocket({ url, WebSocket }))
  const row = await rowOf('@rivulet/websocket', { '': [usual as Transport, limited as Transport] })
  await Promise.all(endpoints.map((endpoint) => endpoint.close()))
  return { ...row, mostBytes: MAX_PAGE_FRAME_BYTES }
}

async function rowOf(
  name: keyof typeof SCHEMES,
  transports: Record<string, [Transport, Transport]>,
): Promise<Row> {
  const claims = new Map<string, { usual: Capabilities; limited: Capabilities }>()
  for (const [protocol, [usual, limited]] of Object.entries(transports)) {
    claims.set(protocol, { usual: await claimOf(usual), limited: await claimOf(limited) })
  }
  return { name, schemes: SCHEMES[name], claims }
}

/** What is claimed once the connection is up. */
async function claimOf(transport: Transport): Promise<Capabilities> {
  const host = { hub: 'default', receive() {}, watched() {}, down() {}, error() {}, left() {} }
  await transport.open(host, AbortSignal.timeout(10_000))
  const claim = { ...transport.capabilities }
  await transport.close(AbortSignal.timeout(1000))
  return claim
}

function lineOf({ name, schemes, claims, mostBytes, reaches }: Row): string {
  const cells = [
    `\`${name}\``,
    schemes.map((scheme) => `\`${scheme}\``).join(' '),
    reaches ?? perProtocol(claims, ({ scope }) => REACHES[scope]),
    perProtocol(claims, ({ echoes }) => (echoes ? 'yes, filtered' : 'no')),
    perProtocol(claims, ({ ordered }) => (ordered ? 'yes' : 'no')),
    perProtocol(claims, ({ watch }) => (watch ? 'yes' : 'no')),
    largestFrame(claims, mostBytes),
  ]
  return `| ${cells.join(' | ')} |`
}

const TOPIC = topicOf('default', 'positions')
const REACHES = {
  process: 'this process',
  // Of the transports of scope `host` there is one, and it does not reach other processes.
  host: 'threads of one process, tabs and workers of one browser origin',
  network: 'the network',
} as const

/** Says it once when all protocols agree, else for each. */
function perProtocol(claims: Row['claims'], say: (claim: Capabilities) => string): string {
  const said = [...claims].map(([protocol, { usual }]) => [protocol, say(usual)] as const)
  const [first] = said
  if (said.every(([, text]) => text === first?.[1])) return first?.[1] ?? ''
  return said.map(([protocol, text]) => `${protocol}: ${text}`).join('; ')
}

/** A number that is the same on both brokers is the transport's own; else, or where only MQTT 5 tells, the broker's. */
function largestFrame(claims: Row['claims'], mostBytes: number | undefined): string {
  const own = [...claims.values()].every(
    ({ usual, limited }) => usual.maxFrameBytes(TOPIC) === limited.maxFrameBytes(TOPIC),
  )
  const [{ usual } = { usual: undefined }] = claims.values()
  if (!own)
    return mostBytes === undefined ? 'as the broker says' : `as the broker says, at most ${mostBytes} bytes`
  const bytes = usual?.maxFrameBytes(TOPIC)
  return bytes === Infinity ? 'none named' : `${bytes} bytes`
}
