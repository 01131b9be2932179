import { createClient } from '@redis/client'
import { onTestFinished } from 'vitest'
import { adapterScene } from '../../../test/support/adapters/scene.ts'
import type { Broker } from '../../../test/support/brokers.ts'
import { type RedisServerOptions, startRedis } from '../../../test/support/redis-servers.ts'
import { type RedisOptions, redis } from '../src/index.ts'

export const scene = adapterScene<RedisServerOptions, RedisOptions>(startRedis, (servers, options) =>
  redis(options?.path === undefined ? { servers, ...options } : options),
)
export const { server, transportTo, opened } = scene

/** Connects the bare client with its default settings, which ends with the test. */
export async function bareClient(broker: Broker, options: Parameters<typeof createClient>[0] = {}) {
  const client = createClient({ url: broker.url, ...options })
  client.on('error', () => {})
  await client.connect()
  onTestFinished(() => client.destroy())
  return client
}
