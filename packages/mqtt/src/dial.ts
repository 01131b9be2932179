import { isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { connect, type IClientOptions, MqttClient } from 'mqtt'
import type { Settings } from './options.ts'
import type { Server } from './server.ts'

/** How long a server has for the whole of address, handshakes and CONNACK. */
export const CONNECT_TIMEOUT_MS = 2_000
// Pings come after one interval of silence, and the connection is given up after one and a half.
const KEEPALIVE_SECONDS = 5

/**
 * Starts a client on a socket that is connected to the server. The socket is ours, also below TLS and below a web
 * socket, since only a TCP socket can be reset. Throws when the certificates cannot be read.
 */
export function startClient(socket: Socket, server: Server, settings: Settings, protocol: 4 | 5): MqttClient {
  const stream = server.isSecure ? secured(socket, server, settings) : socket
  const options = clientOptions(server, settings, protocol)
  if (!server.isWebSocket) return new MqttClient(() => stream, options)
  const { scheme, hostname, port, path } = server
  const wsOptions = { createConnection: () => stream }
  return connect({ ...options, protocol: scheme, hostname, port, path, wsOptions })
}

/** Returns the host as sockets take it. */
export function hostOf({ hostname }: Server): string {
  return hostname.replace(/^\[(.*)\]$/, '$1')
}

function secured(socket: Socket, server: Server, { tls }: Settings): Socket {
  const host = hostOf(server)
  // RFC 6066 3: a server's name is never an address.
  const { servername = isIP(host) ? '' : host, ...certificates } = tls
  return connectTls({ ...certificates, socket, host, servername, rejectUnauthorized: true })
}

function clientOptions(server: Server, settings: Settings, protocol: 4 | 5): IClientOptions {
  return {
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

// Every broker takes 23 characters of 0-9 a-z [MQTT-3.1.3-5].
function randomClientId(): string {
  return `rivulet${Buffer.from(crypto.getRandomValues(new Uint8Array(8))).toString('hex')}`
}
