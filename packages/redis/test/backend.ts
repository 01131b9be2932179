import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { ContractBackend } from 'rivulet/testing'
import { type RedisServerOptions, startRedis } from '../../../test/support/redis-servers.ts'
import { redis } from '../src/index.ts'

const PUBLISHER = fileURLToPath(new URL('./foreign-publisher.mjs', import.meta.url))

/** Gives the contract suite a server of its own, and a foreign publisher in another process. */
export async function createBackend(server?: RedisServerOptions['server']): Promise<ContractBackend> {
  const broker = await startRedis({ server })
  return {
    transport: () => redis({ servers: broker.url }),
    elsewhere: async (topic, frame) => {
      const publisher = spawn(process.execPath, [PUBLISHER, broker.url], {
        stdio: ['pipe', 'pipe', 'inherit'],
      })
      publisher.stdin.end(`${JSON.stringify([topic, frame])}\n`)
      const [code] = await once(publisher, 'exit')
      if (code !== 0) throw new Error(`The foreign publisher ended with code ${code}.`)
    },
    down: () => broker.kill(),
    up: () => broker.restart(),
    close: () => broker.close(),
  }
}
