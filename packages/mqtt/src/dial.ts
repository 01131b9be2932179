import { randomBytes } from 'node:crypto'
import { isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { connect, type IClientOptions, MqttClient } from 'mqtt'
import type { Settings } from './options.ts'
import type { Server } from './server.ts'

/** What to connect to, and how. */
export type Target = { server: Server; settings: Settings; protocol: 4 | 5; idleMs: number; dialMs: number }

// The client pings after such an interval without an answer to a ping, and gives up after one and a half. Longer than that
// of the core, so that a subscriber sends the core's pings only.
const KEEPALIVE_PER_IDLE = 1.5
// A broker ends who is silent for one and a half of these: a process that stands still for some seconds comes back.
const LEAST_KEEPALIVE_SECONDS = 5
const MOST_KEEPALIVE_SECONDS = 65_535 // MQTT 5, 3.1.2.10

/**
 * Starts a client on a socket that is connected to the server. The socket is ours, also below TLS and below a web
 * socket, since only a TCP socket can be reset. Throws when the certificates cannot be read.
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
  return {
    username: server.username,
    // As bytes: text is written to the debug log of the packet writer.
    ...(server.password !== undefined && { password: Buffer.from(server.password) }),
    // Every broker takes 23 characters of 0-9 a-z [MQTT-3.1.3-5].
    clientId: settings.clientId ?? `rivulet${randomBytes(8).toString('hex')}`,
    ...{ protocolVersion: protocol, keepalive: keepaliveSeconds(idleMs), connectTimeout: dialMs },
    ...(protocol === 5 && { properties: { sessionExpiryInterval: 0 } }),
    ...{ clean: true, reconnectPeriod: 0, resubscribe: false, queueQoSZero: false },
    // The client's own log shows the CONNECT packet with the password in it.
    log: () => {},
  }
}

function keepaliveSeconds(idleMs: number): number {
  const seconds = Math.ceil((KEEPALIVE_PER_IDLE * idleMs) / 1_000)
  return Math.min(MOST_KEEPALIVE_SECONDS, Math.max(LEAST_KEEPALIVE_SECONDS, seconds))
}
