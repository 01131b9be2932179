import { connect } from '@nats-io/transport-node'
import { createClient } from '@redis/client'
import { connectAsync } from 'mqtt'
import type { BrokerKind } from '../../support/live.ts'

/** A client without Rivulet: writes whatever bytes to the topics of streams, and reads what others write. */
export interface BarePeer {
  send(stream: string, frame: Uint8Array | string): void
  /** Resolves when the broker has everything. */
  flush(): Promise<void>
  /** Notes the frames of a stream in `frames` from when it resolves. */
  listen(stream: string): Promise<void>
  readonly frames: readonly Uint8Array[]
  close(): Promise<void>
}

export function connectBarePeer(kind: BrokerKind['kind'], url: string): Promise<BarePeer> {
  if (kind === 'nats') return natsPeer(url)
  if (kind === 'redis') return redisPeer(url)
  return mqttPeer(url, kind === 'mqtt 5' ? 5 : 4)
}

async function natsPeer(url: string): Promise<BarePeer> {
  const client = await connect({ servers: url, reconnect: false })
  const frames: Uint8Array[] = []
  const callback = (_error: Error | null, { data }: { data: Uint8Array }) => {
    frames.push(Uint8Array.from(data))
  }
  return {
    frames,
    send: (stream, frame) => client.publish(`rivulet.default.${stream}`, frame),
    flush: () => client.flush(),
    async listen(stream) {
      client.subscribe(`rivulet.default.${stream}`, { callback })
      await client.flush()
    },
    close: () => client.close(),
  }
}

async function redisPeer(url: string): Promise<BarePeer> {
  // It gives a command up after 5 s unless told otherwise, and rejects it; a flood on a busy machine takes longer.
  const client = createClient({ url, commandOptions: { timeout: undefined } })
  await client.connect()
  const frames: Uint8Array[] = []
  return {
    frames,
    send: (stream, frame) => void client.publish(`rivulet/default/${stream}`, Buffer.from(frame)),
    async flush() {
      await client.ping()
    },
    async listen(stream) {
      const note = (frame: Buffer) => void frames.push(Uint8Array.from(frame))
      await client.subscribe(`rivulet/default/${stream}`, note, true)
    },
    close: async () => client.destroy(),
  }
}

async function mqttPeer(url: string, protocolVersion: 4 | 5): Promise<BarePeer> {
  const client = await connectAsync(url, { protocolVersion, reconnectPeriod: 0 })
  const frames: Uint8Array[] = []
  client.on('message', (_topic, payload) => frames.push(Uint8Array.from(payload)))
  return {
    frames,
    send: (stream, frame) => client.publish(`rivulet/default/${stream}`, Buffer.from(frame)),
    async flush() {
      // Its acknowledgement comes after everything before.
      await client.publishAsync('barrier', '', { qos: 1 })
    },
    async listen(stream) {
      await client.subscribeAsync(`rivulet/default/${stream}`)
    },
    close: () => client.endAsync(),
  }
}
