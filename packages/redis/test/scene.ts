import { createClient } from '@redis/client'
import type { Transport } from 'rivulet'
import { expect, onTestFinished } from 'vitest'
import type { Broker } from '../../../test/support/brokers.ts'
import { type RedisServerOptions, startRedis } from '../../../test/support/redis-servers.ts'
import { type RedisOptions, redis } from '../src/index.ts'
import { Recorder, within } from './host.ts'

/** Starts a server that ends with the test. */
export async function server(options?: RedisServerOptions): Promise<Broker> {
  const broker = await startRedis(options)
  onTestFinished(() => broker.close())
  return broker
}

/** Makes a transport that closes with the test. */
export function transportTo(target: Broker | string[], options: RedisOptions = {}): Transport {
  const servers = Array.isArray(target) ? target : [addressOf(target)]
  const transport = redis(options.path === undefined ? { servers, ...options } : options)
  onTestFinished(() => transport.close(AbortSignal.abort()))
  return transport
}

/** Opens a transport that closes with the test. */
export async function opened(target: Broker | string[], options?: RedisOptions, host = new Recorder()) {
  const transport = transportTo(target, options)
  await transport.open(host, within())
  return { transport, host }
}

/** Connects the bare client with its default settings, which ends with the test. */
export async function bareClient(broker: Broker, options: Parameters<typeof createClient>[0] = {}) {
  const client = createClient({ url: broker.url, ...options })
  client.on('error', () => {})
  await client.connect()
  onTestFinished(() => client.destroy())
  return client
}

export function addressOf(broker: Broker): string {
  return `127.0.0.1:${broker.port}`
}

/** Expects of a value that it becomes right, without asserting when. */
export function eventually<Value>(read: () => Value) {
  return expect.poll(read, { timeout: 20_000 })
}
