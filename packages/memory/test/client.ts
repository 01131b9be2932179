import type { MemoryBus } from '@rivulet/memory'
import type { Topic, Transport } from 'rivulet'
import { RecordingHost } from 'rivulet/testing'
import { endless } from '../../../test/support/adapters/waits.ts'

/** The topic of most tests; only the core makes topics outside of tests. */
export const TOPIC = 'rivulet/default/a' as Topic

/** A transport with the host on which a test opens it. */
export interface Client {
  readonly transport: Transport
  readonly host: RecordingHost
}

/** Opens one more transport of a bus that has joined these topics. */
export async function connect(bus: MemoryBus, ...topics: Topic[]): Promise<Client> {
  const client = clientOf(bus.transport())
  await client.transport.open(client.host, endless)
  for (const topic of topics) await client.transport.join(topic, endless)
  return client
}

export function clientOf(transport: Transport): Client {
  return { transport, host: new RecordingHost() }
}

export function send({ transport }: Client, ...frames: string[]): void {
  for (const frame of frames) transport.send(TOPIC, frame)
}

/** Lets everything without a delay arrive. */
export function tick(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve))
}
