import type { Socket } from 'node:net'
import { connect, type IClientOptions, type MqttClient } from 'mqtt'
import { connectError } from './connect-error.ts'
import { Connection } from './connection.ts'
import type { Settings } from './options.ts'
import type { Server } from './server.ts'

// How long a server has for the whole of address, handshakes and CONNACK.
const CONNECT_TIMEOUT_MS = 2_000
// Pings come after one interval of silence, and the connection is given up after one and a half.
const KEEPALIVE_SECONDS = 5

/**
 * Makes one connection to one server. Rejects with `TRANSPORT_FAILED`, `TRANSPORT_UNAVAILABLE` or the signal's
 * reason, in each case only after the socket is closed.
 */
export function dial(
  server: Server,
  settings: Settings,
  protocol: 4 | 5,
  signal: AbortSignal,
): Promise<Connection> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const client = begin(server, settings, protocol)
    let cause: unknown
    const remember = (error: unknown) => {
      cause ??= error
    }
    const fail = (error: unknown) => {
      remember(error)
      client.stream.destroy()
    }
    const abort = () => fail(signal.reason)
    const closed = () => {
      signal.removeEventListener('abort', abort)
      reject(signal.aborted ? signal.reason : connectError(server.label, cause))
    }
    // An error without a code is emitted by the stream alone.
    client.stream.on('error', remember)
    client.on('error', fail)
    client.on('close', closed)
    signal.addEventListener('abort', abort)
    client.once('connect', (connack) => {
      if (client.stream.destroyed) return
      signal.removeEventListener('abort', abort)
      client.stream.off('error', remember)
      client.off('error', fail)
      client.off('close', closed)
      // Made here and not after the promise: the next packet may be handled before a promise is.
      resolve(new Connection({ client, connack, protocol, server, prefix: settings.prefix }))
    })
  })
}

function begin(server: Server, settings: Settings, protocol: 4 | 5): MqttClient {
  try {
    const client = connect(clientOptions(server, settings, protocol))
    // A packet behind another would wait 40 ms for the broker to acknowledge that one: with a barrier every 500
    // frames that is 8 000 frames a second instead of 50 000. A web socket does it by itself.
    if ('setNoDelay' in client.stream) (client.stream as Socket).setNoDelay(true)
    return client
  } catch (error) {
    throw connectError(server.label, error)
  }
}

function clientOptions(server: Server, settings: Settings, protocol: 4 | 5): IClientOptions {
  return {
    ...tlsOptions(settings),
    protocol: server.scheme,
    hostname: server.host,
    port: server.port,
    path: server.path,
    username: server.username,
    // As bytes: text is written to the debug log of the packet writer.
    ...(server.password !== undefined && { password: Buffer.from(server.password) }),
    clientId: settings.clientId ?? randomClientId(),
    protocolVersion: protocol,
    clean: true,
    ...(protocol === 5 && { properties: { sessionExpiryInterval: 0 } }),
    keepalive: KEEPALIVE_SECONDS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    // The client's own log shows the CONNECT packet with the password in it.
    log: () => {},
  }
}

function tlsOptions({ tls }: Settings): IClientOptions {
  // One by one: an option of Node that weakens the verification must not get through.
  const { ca, cert, key, passphrase, servername } = tls
  const given = Object.entries({ ca, cert, key, passphrase, servername }).filter(([, value]) => value)
  // The client hands all but the name to a web socket by itself.
  const wsOptions = servername === undefined ? {} : ({ servername } as object)
  return { ...Object.fromEntries(given), wsOptions, rejectUnauthorized: true }
}

// Every broker takes 23 characters of 0-9 a-z [MQTT-3.1.3-5].
function randomClientId(): string {
  const random = crypto.getRandomValues(new Uint8Array(8))
  return `rivulet${Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('')}`
}
