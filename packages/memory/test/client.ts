import type { MemoryBus } from '@rivulet/memory'
import type { Topic, Transport, TransportHost } from 'rivulet'

/** The topic of most tests; only the core makes topics outside of tests. */
export const TOPIC = 'rivulet/default/a' as Topic

/** Never aborts. */
export const { signal: endless } = new AbortController()

/** An open transport and its received frames. */
export interface Client {
  readonly transport: Transport
  readonly heard: string[]
  readonly downs: (Error | undefined)[]
  readonly errors: Error[]
  readonly host: TransportHost
}

/** Opens one more transport of a bus that has joined these topics. */
export async function connect(bus: MemoryBus, ...topics: Topic[]): Promise<Client> {
  const client = clientOf(bus.transport())
  await client.transport.open(client.host, endless)
  for (const topic of topics) await client.transport.join(topic, endless)
  return client
}

export function clientOf(transport: Transport): Client {
  const heard: string[] = []
  const downs: (Error | undefined)[] = []
  const errors: Error[] = []
  const host: TransportHost = {
    hub: 'default',
    watched: () => {},
    receive: (_topic, frame) => heard.push(new TextDecoder().decode(frame as Uint8Array)),
    down: (cause) => downs.push(cause),
    error: (_topic, cause) => errors.push(cause),
    left: (_topic, cause) => errors.push(cause),
  }
  return { transport, heard, downs, errors, host }
}

export function send({ transport }: Client, ...frames: string[]): void {
  for (const frame of frames) transport.send(TOPIC, frame)
}

/** Lets everything without a delay arrive. */
export function tick(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve))
}
