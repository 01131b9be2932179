import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { ContractBackend } from 'rivulet/testing'
import { startNats } from '../../../test/support/brokers.ts'
import { nats } from '../src/index.ts'
import { subjectOf } from '../src/subject.ts'
import { addressOf } from './scene.ts'

const PUBLISHER = fileURLToPath(new URL('./foreign-publisher.mjs', import.meta.url))

/** Gives the contract suite a nats-server of its own, and a foreign publisher in another process. */
export async function createBackend(): Promise<ContractBackend> {
  const broker = await startNats()
  const address = addressOf(broker)
  return {
    transport: () => nats({ servers: address }),
    elsewhere: async (topic, frame) => {
      const publisher = spawn(process.execPath, [PUBLISHER, address], { stdio: ['pipe', 'pipe', 'inherit'] })
      publisher.stdin.end(`${JSON.stringify([subjectOf(topic, ''), frame])}\n`)
      const [code] = await once(publisher, 'exit')
      if (code !== 0) throw new Error(`The foreign publisher ended with code ${code}.`)
    },
    down: () => broker.kill(),
    up: () => broker.restart(),
    close: () => broker.close(),
  }
}
