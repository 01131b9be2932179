import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { type Broker, type CommonOptions, type Ports, startBroker } from './brokers.ts'
import { findExecutable, isInstalled } from './find-executable.ts'

export type RedisProgram = 'redis-server' | 'valkey-server'

/** Both, or Redis alone where the distribution has no Valkey, which the setup of the tests then says. */
export const REDIS_PROGRAMS = (['redis-server', 'valkey-server'] as const).filter(
  (program) => program === 'redis-server' || isInstalled(program),
)

export interface RedisServerOptions extends CommonOptions {
  /** @default 'redis-server' */
  readonly server?: RedisProgram
  /** Makes it a node of a cluster, which has no slots yet. */
  readonly cluster?: boolean
  /** Makes it a Sentinel that watches this server by the name `fleet`; two of them agree on a failover. */
  readonly sentinelOf?: Broker | undefined
}

/** Starts a Redis or Valkey server on a free loopback port. Without `users` it takes everybody. */
export function startRedis(options: RedisServerOptions = {}): Promise<Broker> {
  return startBroker(options.server ?? 'redis-server', options, options.cluster ? ['cluster'] : [], {
    scheme: options.tls ? 'rediss' : 'redis',
    readyLine: options.sentinelOf ? /\+monitor master fleet/ : /Ready to accept connections/,
    args: (file) => (options.sentinelOf ? [file, '--sentinel'] : [file]),
    render: (port, ports, folder) => redisConfig(options, port, ports, folder),
  })
}

/** Gives a command to a server that takes everybody, and returns its answer. Rejects with what the server refuses. */
export async function redisCommand(broker: Broker, ...command: readonly string[]): Promise<string> {
  const args = ['-p', String(broker.port), '-e', ...command]
  const { stdout } = await promisify(execFile)(findExecutable('redis-cli'), args)
  return stdout.trimEnd()
}

/** Starts `count` servers as one cluster, each with its share of the slots, and waits until each knows all of them. */
export async function startRedisCluster(count: number, options: RedisServerOptions = {}): Promise<Broker[]> {
  const brokers = await Promise.all(
    Array.from({ length: count }, () => startRedis({ ...options, cluster: true })),
  )
  const [first] = brokers as [Broker]
  for (const [index, broker] of brokers.entries()) {
    const [from, to] = [index, index + 1].map((share) => Math.floor((share * CLUSTER_SLOTS) / count)) as [
      number,
      number,
    ]
    await redisCommand(broker, 'CLUSTER', 'ADDSLOTSRANGE', String(from), String(to - 1))
    await redisCommand(broker, 'CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1))
    const address = ['127.0.0.1', String(broker.port), String(broker.portOf('cluster'))]
    if (broker !== first) await redisCommand(first, 'CLUSTER', 'MEET', ...address)
  }
  await Promise.all(brokers.map((broker) => isWhole(broker, count)))
  return brokers
}

const CLUSTER_SLOTS = 16_384

async function isWhole(broker: Broker, count: number): Promise<void> {
  for (;;) {
    const info = await redisCommand(broker, 'CLUSTER', 'INFO')
    if (info.includes('cluster_state:ok') && info.includes(`cluster_size:${count}\r`)) return
    await delay(20)
  }
}

/** Returns how many connections have joined each of these sharded channels on a server. */
export async function shardSubscribers(broker: Broker, channels: readonly string[]): Promise<number[]> {
  const answer = await redisCommand(broker, 'PUBSUB', 'SHARDNUMSUB', ...channels)
  return answer.split('\n').flatMap((line, nth) => (nth % 2 === 0 ? [] : [Number(line)]))
}

/** The path of a server's Unix socket, which `config` opens. */
export function unixSocketOf(folder: string): string {
  return join(folder, 'redis.sock')
}

function redisConfig(options: RedisServerOptions, port: number, ports: Ports, folder: string): string {
  const { users, tls, sentinelOf } = options
  if (sentinelOf !== undefined) return sentinelConfig(sentinelOf, port, folder)
  const lines = ['bind 127.0.0.1', `dir ${JSON.stringify(folder)}`, 'save ""', 'appendonly no']
  lines.push(tls ? 'port 0' : `port ${port}`)
  if (tls) {
    const files = [`tls-cert-file ${tls.certFile}`, `tls-key-file ${tls.keyFile}`]
    lines.push(`tls-port ${port}`, ...files, 'tls-auth-clients no', `tls-ca-cert-file ${tls.certFile}`)
  }
  if (ports.cluster) lines.push('cluster-enabled yes', `cluster-port ${ports.cluster}`)
  if (users) lines.push('user default off', ...Object.entries(users).map(everythingFor))
  return lines.join('\n')
}

function sentinelConfig(master: Broker, port: number, folder: string): string {
  return [
    'bind 127.0.0.1',
    `port ${port}`,
    `dir ${JSON.stringify(folder)}`,
    `sentinel monitor fleet 127.0.0.1 ${master.port} 2`,
    'sentinel down-after-milliseconds fleet 500',
    'sentinel failover-timeout fleet 5000',
  ].join('\n')
}

function everythingFor([user, password]: [string, string]): string {
  return `user ${user} on ${JSON.stringify(`>${password}`)} ~* &* +@all`
}
