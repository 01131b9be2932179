import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Topic } from 'rivulet'
import type { ContractBackend } from 'rivulet/testing'
import { startMosquitto } from '../../../test/support/brokers.ts'
import { mqtt } from '../src/index.ts'

// QoS 1: its acknowledgement confirms that the broker has the frame.
const PUBLISH = `
  const { connectAsync } = await import('mqtt')
  const [url, topic, frame] = process.argv.slice(1)
  const client = await connectAsync(url)
  await client.publishAsync(topic, frame, { qos: 1 })
  await client.endAsync()`

/** Starts one mosquitto for each test of the contract suite. */
export async function createBackend(protocol: 4 | 5): Promise<ContractBackend> {
  // Without it mosquitto delays the first frame after a SUBACK for 40 ms.
  const broker = await startMosquitto({ config: 'set_tcp_nodelay true' })
  return {
    transport: () => mqtt({ url: broker.url, protocol }),
    elsewhere: (topic, frame) => publishElsewhere(broker.url, topic, frame),
    down: () => broker.kill(),
    up: () => broker.restart(),
    close: () => broker.close(),
  }
}

async function publishElsewhere(url: string, topic: Topic, frame: string): Promise<void> {
  const args = ['--input-type=module', '--eval', PUBLISH, '--', url, topic, frame]
  await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname })
}
