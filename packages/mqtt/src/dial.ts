import { randomBytes } from 'node:crypto'
import { isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { connect, type IClientOptions, MqttClient } from 'mqtt'
import type { Known } from './secrets.ts'
import type { Server } from './server.ts'

/** The server, settings and deadlines of a connection. */
export type Target = { server: Server; settings: Known; protocol: 4 | 5; idleMs: number; dialMs: number }

// The client pings after this interval without an answer to a ping, and gives up after one and a half. Longer than the
// core's interval, so that a subscriber sends only the core's pings.
const KEEPALIVE_PER_IDLE = 1.5
// A broker disconnects a client that is silent for 1.5 times this: long enough to survive a pause of some seconds.
const LEAST_KEEPALIVE_SECONDS = 5
const MOST_KEEPALIVE_SECONDS = 65_535 // MQTT 5, 3.1.2.10

/**
 * Starts a client on a connected socket. The socket is the adapter's own, also below TLS and WebSocket, since only a
 * TCP socket can be reset. Throws when the certificates cannot be read.
 */
export function startClient(socket: Socket, target: Target): MqttClient {
  const { server } = target
  const stream = server.isSecure ? secured(socket, target) : socket
  const options = clientOptions(target)
  if (server.webSocket === undefined) return new MqttClient(() => stream, options)
  return connect({ ...options, ...server.webSocket, wsOptions: { createConnection: () => stream } })
}

function secured(socket: Socket, { server: { host }, settings: { tls } }: Target): Socket {
  // RFC 6066 3: a server's name is never an address.
  const servername = tls.servername ?? (isIP(host) ? '' : host)
  return connectTls({ ...tls, socket, host, servername, rejectUnauthorized: true })
}

function clientOptions({ server, settings, protocol, idleMs, dialMs }: Target): IClientOptions {
  const { username, password } = server.credentials ?? settings
  return {
    username,
    // As bytes: the packet writer writes text to its debug log.
    ...(password !== undefined && { password: Buffer.from(password) }),
    // Every broker accepts 23 characters of 0-9 a-z [MQTT-3.1.3-5].
    clientId: settings.clientId ?? `rivulet${randomBytes(8).toString('hex')}`,
    protocolVersion: protocol,
    keepalive: keepaliveSeconds(idleMs),
    connectTimeout: dialMs,
    ...(protocol === 5 && { properties: { sessionExpiryInterval: 0 } }),
    clean: true,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    // The client's own log contains the CONNECT packet with the password.
    log: () => {},
  }
}

function keepaliveSeconds(idleMs: number): number {
  const seconds = Math.ceil((KEEPALIVE_PER_IDLE * idleMs) / 1_000)
  return Math.min(MOST_KEEPALIVE_SECONDS, Math.max(LEAST_KEEPALIVE_SECONDS, seconds))
}
