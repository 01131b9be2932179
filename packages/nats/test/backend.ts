import type { ContractBackend } from 'rivulet/testing'
import { publishElsewhere } from '../../../test/support/adapters/publish-elsewhere.ts'
import { addressOf } from '../../../test/support/adapters/scene.ts'
import { startNats } from '../../../test/support/brokers.ts'
import { nats } from '../src/index.ts'
import { subjectOf } from '../src/subject.ts'

const PUBLISHER = new URL('./foreign-publisher.mjs', import.meta.url)

/** Starts a nats-server for the contract suite, and a foreign publisher in another process. */
export async function createBackend(): Promise<ContractBackend> {
  const broker = await startNats()
  const address = addressOf(broker)
  return {
    transport: () => nats({ servers: address }),
    elsewhere: (topic, frame) => publishElsewhere(PUBLISHER, address, subjectOf(topic, ''), frame),
    down: () => broker.kill(),
    up: () => broker.restart(),
    close: () => broker.close(),
  }
}
