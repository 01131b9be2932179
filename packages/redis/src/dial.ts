import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { isIP, connect as openSocket, type Socket } from 'node:net'
import { createClient } from '@redis/client'
import { dialShareMs, type Timeouts } from 'rivulet/transport'
import type { RedisTlsOptions, Server, Settings } from './options.ts'
import { refusalOf } from './refusal.ts'
import { readSlots } from './slots.ts'

const SOCKET_CHANNEL = 'net.client.socket'

/** A connection to one server, its handshake done. */
export type Dialled = Awaited<ReturnType<typeof dial>>
/** The client, as the adapter sets it up. */
export type Client = Dialled['client']

/** Dials the servers one after another until one answers; each takes at most its share of the hub's time. */
export async function dialAny(
  servers: readonly Server[],
  settings: Settings,
  timeouts: Timeouts,
  signal: AbortSignal,
) {
  const mostMs = dialShareMs(timeouts, servers.length)
  const failures: { server: string; cause: unknown }[] = []
  for (const server of servers) {
    signal.throwIfAborted()
    try {
      return await dial(server, settings, mostMs, signal)
    } catch (cause) {
      failures.push({ server: server.label, cause })
    }
  }
  signal.throwIfAborted()
  throw refusalOf(failures)
}

/**
 * Dials one server. The client (6.3) cannot give up a dial, waits for ever for an answer to its HELLO, and never
 * resets a socket; so the socket that it makes is noted, to be destroyed unless the dial succeeds.
 */
async function dial(server: Server, settings: Settings, mostMs: number, signal: AbortSignal) {
  const { client, socket, opening } = begin(server, settings)
  const giveUp = (cause: unknown) => socket.destroy(cause instanceof Error ? cause : new Error(String(cause)))
  const onAbort = () => giveUp(signal.reason)
  const timeout = setTimeout(giveUp, mostMs, new Error(`no answer within ${mostMs} ms`))
  signal.addEventListener('abort', onAbort)
  try {
    await opening
    const ranges = settings.sharded ? await readSlots((args) => client.sendCommand(args)) : undefined
    return { server, client, ranges, isSharded: settings.sharded }
  } catch (cause) {
    client.destroy()
    socket.destroy()
    throw cause
  } finally {
    clearTimeout(timeout)
    signal.removeEventListener('abort', onAbort)
  }
}

/** Makes the client and has it connect, which makes the socket before it returns. */
function begin(server: Server, settings: Settings) {
  let socket: Socket | undefined
  const takeNote = (message: unknown) => {
    socket = (message as { socket: Socket }).socket
  }
  subscribe(SOCKET_CHANNEL, takeNote)
  try {
    const client = createClient(optionsFor(server, settings))
    // Told by the promise of the dial, and later to the connection.
    client.on('error', () => {})
    const opening = client.connect()
    opening.catch(() => {})
    if (socket === undefined) throw new Error('The client made no socket.')
    resetAtEnd(socket)
    return { client, socket, opening }
  } finally {
    unsubscribe(SOCKET_CHANNEL, takeNote)
  }
}

/** Resets the socket whenever it is closed, so that buffered bytes never leave later. */
function resetAtEnd(socket: Socket): void {
  socket.destroy = (error) => {
    socket.destroy = Object.getPrototypeOf(socket).destroy
    // A Unix socket and one that still connects have no peer's address, and cannot be reset.
    return error || socket.remoteFamily === undefined ? socket.destroy(error) : socket.resetAndDestroy()
  }
}

function optionsFor(server: Server, { name, username, password, tls }: Settings) {
  return {
    ...({ RESP: 3, name, username, password } as const),
    // The core reconnects and joins again; a client that did so too would replay what was published meanwhile.
    disableOfflineQueue: true,
    // Deadlines are the core's; by itself the client makes a timer for each command.
    commandOptions: { timeout: undefined },
    // These send commands that a user with few permissions may not give.
    ...({ disableClientInfo: true, maintNotifications: 'disabled' } as const),
    // The time to connect is bounded by the dial as a whole.
    socket: { ...socketOf(server, tls), connectTimeout: 0, reconnectStrategy: false } as const,
  }
}

function socketOf({ address }: Server, tls: RedisTlsOptions | undefined) {
  if (tls === undefined || 'path' in address) return address
  const { host } = address
  // A socket that TLS makes by itself is not announced on the channel.
  const socket = openSocket({ ...address, noDelay: true })
  return { tls: true, socket, host, ...(isIP(host) ? {} : { servername: host }), ...tls } as const
}
