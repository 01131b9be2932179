import { connect, type NatsConnection } from '@nats-io/transport-node'
import { onTestFinished } from 'vitest'
import { adapterScene, addressOf } from '../../../test/support/adapters/scene.ts'
import { type Broker, type NatsServerOptions, startNats } from '../../../test/support/brokers.ts'
import type { Authority, Certificate } from '../../../test/support/certificates.ts'
import { type NatsOptions, nats } from '../src/index.ts'

export const scene = adapterScene<NatsServerOptions, NatsOptions>(startNats, (servers, options) =>
  nats({ servers, ...options }),
)
export const { server, transportTo, opened } = scene

/** Connects the bare client, which ends with the test. */
export async function bareClient(broker: Broker, options = {}): Promise<NatsConnection> {
  const client = await connect({ servers: addressOf(broker), reconnect: false, ...options })
  onTestFinished(() => client.close())
  return client
}

/** Starts a server that requires TLS, and returns the options to trust it. */
export async function secureServer(trusted: Authority, certificate: Certificate, handshakeFirst: boolean) {
  const { certFile, keyFile } = certificate
  const first = handshakeFirst ? ', handshake_first: true' : ''
  const config = `tls { cert_file: "${certFile}", key_file: "${keyFile}"${first} }`
  return { broker: await server({ config }), tls: { ca: trusted.ca, handshakeFirst } }
}
