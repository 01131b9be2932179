import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { isIP, connect as openSocket, type Socket } from 'node:net'
import { createClient } from '@redis/client'
import { dialInTurn, dialShareMs, resetAtEnd, type Timeouts } from 'rivulet/adapter'
import type { Server } from './options.ts'
import { refusalOf } from './refusal.ts'
import { type Command, checkRole, readRole } from './role.ts'
import type { Known, KnownLogin } from './secrets.ts'
import { readSlots } from './slots.ts'

const SOCKET_CHANNEL = 'net.client.socket'

/** The client, configured for the adapter. */
export type Client = ReturnType<typeof begin>['client']
/** A connection to one server, its handshake done. */
export type Dialled = Awaited<ReturnType<typeof dialServer>>

/** The purpose of a dial. `wasUp`: whether the transport was connected before. */
export type Purpose = Known & { readonly wasUp: boolean }
/** The login at a server, with the connection's name. */
type Login = KnownLogin & { readonly name: string }

/** Dials the servers in turn until one answers; each may take at most its share of the hub's time. */
export function dialAny(
  servers: readonly Server[],
  purpose: Purpose,
  timeouts: Timeouts,
  signal: AbortSignal,
): Promise<Dialled> {
  const mostMs = dialShareMs(timeouts, servers.length)
  return firstOf(servers, signal, (server) => dialServer(server, purpose, mostMs, signal))
}

/** Tries the servers in turn until one attempt succeeds. */
export function firstOf<Result>(
  servers: readonly Server[],
  signal: AbortSignal,
  attempt: (server: Server, rename: (label: string) => void) => Promise<Result>,
): Promise<Result> {
  return dialInTurn(servers, ({ label }) => label, attempt, refusalOf, signal)
}

/** Dials one server to publish on. */
export function dialServer(server: Server, purpose: Purpose, mostMs: number, signal: AbortSignal) {
  return dial(server, purpose, mostMs, signal, async (client) => {
    const command: Command = (args) => client.sendCommand(args)
    const role = await readRole(command)
    await checkRole(role, command, purpose.wasUp)
    const ranges = purpose.sharded ? await readSlots(command) : undefined
    return { server, client, role, ranges, isSharded: purpose.sharded }
  })
}

/**
 * Dials one server and runs its handshake. The client (6.3) cannot abort a dial, waits forever for an answer to its
 * HELLO, and never resets a socket; so its socket is kept, and destroyed unless the dial succeeds.
 */
export async function dial<Result>(
  server: Server,
  login: Login,
  mostMs: number,
  signal: AbortSignal,
  greet: (client: Client) => Promise<Result>,
): Promise<Result> {
  const { client, socket, opening } = begin(server, login)
  const giveUp = (cause: unknown) => socket.destroy(cause instanceof Error ? cause : new Error(String(cause)))
  const onAbort = () => giveUp(signal.reason)
  const timeout = setTimeout(giveUp, mostMs, new Error(`no answer within ${mostMs} ms`))
  signal.addEventListener('abort', onAbort)
  try {
    await opening
    return await greet(client)
  } catch (cause) {
    client.destroy()
    socket.destroy()
    throw cause
  } finally {
    clearTimeout(timeout)
    signal.removeEventListener('abort', onAbort)
  }
}

/** Makes the client and starts to connect, which opens the socket synchronously. */
function begin(server: Server, login: Login) {
  let socket: Socket | undefined
  const takeNote = (message: unknown) => {
    socket = (message as { socket: Socket }).socket
  }
  subscribe(SOCKET_CHANNEL, takeNote)
  try {
    const client = createClient(optionsFor(server, login))
    // Handled elsewhere: during the dial its promise rejects, later the connection ends.
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

function optionsFor(server: Server, { name, username, password, tls }: Login) {
  return {
    RESP: 3 as const,
    name,
    username,
    password,
    // The core reconnects and joins again; if the client did so too it would replay frames published meanwhile.
    disableOfflineQueue: true,
    // The core has deadlines; the client's default makes a timer for each command.
    commandOptions: { timeout: undefined },
    // These send commands that a user with few permissions may not run.
    disableClientInfo: true,
    maintNotifications: 'disabled' as const,
    // The time to connect is bounded by the dial as a whole.
    socket: { ...socketOf(server, tls), connectTimeout: 0, reconnectStrategy: false } as const,
  }
}

function socketOf({ address }: Server, tls: KnownLogin['tls']) {
  if (tls === undefined || 'path' in address) return address
  const { host } = address
  // A socket opened inside TLS is not announced on the channel.
  const socket = openSocket({ ...address, noDelay: true })
  return { tls: true, socket, host, ...(isIP(host) ? {} : { servername: host }), ...tls } as const
}
