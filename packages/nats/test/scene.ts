import { connect, type NatsConnection } from '@nats-io/transport-node'
import type { Transport } from 'rivulet'
import { expect, onTestFinished } from 'vitest'
import { type Broker, type NatsServerOptions, startNats } from '../../../test/support/brokers.ts'
import { type NatsOptions, nats } from '../src/index.ts'
import { Recorder, within } from './host.ts'

/** Starts a server that ends with the test. */
export async function server(options?: NatsServerOptions): Promise<Broker> {
  const broker = await startNats(options)
  onTestFinished(() => broker.close())
  return broker
}

/** Makes a transport that closes with the test. */
export function transportTo(target: Broker | string[], options: NatsOptions = {}): Transport {
  const servers = Array.isArray(target) ? target : [addressOf(target)]
  const transport = nats({ servers, ...options })
  onTestFinished(() => transport.close(AbortSignal.abort()))
  return transport
}

/** Opens a transport that closes with the test. */
export async function opened(target: Broker | string[], options?: NatsOptions, host = new Recorder()) {
  const transport = transportTo(target, options)
  await transport.open(host, within())
  return { transport, host }
}

/** Connects the bare client, which ends with the test. */
export async function bareClient(broker: Broker, options = {}): Promise<NatsConnection> {
  const client = await connect({ servers: addressOf(broker), reconnect: false, ...options })
  onTestFinished(() => client.close())
  return client
}

export function addressOf(broker: Broker): string {
  return `127.0.0.1:${broker.port}`
}

/** Expects of a value that it becomes right, without asserting when. */
export function eventually<Value>(read: () => Value) {
  return expect.poll(read, { timeout: 20_000 })
}
