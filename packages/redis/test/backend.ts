import type { ContractBackend } from 'rivulet/testing'
import { publishElsewhere } from '../../../test/support/adapters/publish-elsewhere.ts'
import { type RedisServerOptions, startRedis } from '../../../test/support/redis-servers.ts'
import { redis } from '../src/index.ts'

const PUBLISHER = new URL('./foreign-publisher.mjs', import.meta.url)

/** Starts a server for the contract suite, and a foreign publisher in another process. */
export async function createBackend(server?: RedisServerOptions['server']): Promise<ContractBackend> {
  const broker = await startRedis({ server })
  return {
    transport: () => redis({ servers: broker.url }),
    elsewhere: (topic, frame) => publishElsewhere(PUBLISHER, broker.url, topic, frame),
    down: () => broker.kill(),
    up: () => broker.restart(),
    close: () => broker.close(),
  }
}
