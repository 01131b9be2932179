import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { isIP, connect as openSocket, type Socket } from 'node:net'
import { type ConnectionOptions, connect } from '@nats-io/transport-node'
import { dialInTurn, resetAtEnd } from 'rivulet/adapter'
import { refusalOf } from './refusal.ts'

const SOCKET_CHANNEL = 'net.client.socket'

/** A connection to one server. */
export type Dialled = Awaited<ReturnType<typeof dial>>

/** Dials the servers in turn until one answers; each may take at most the client's `timeout`. */
export function dialAny(servers: readonly string[], options: ConnectionOptions, signal: AbortSignal) {
  const attempt = (server: string) => dial(server, options, signal)
  return dialInTurn(servers, String, attempt, refusalOf, signal)
}

/**
 * Dials one server. The client (nats.js 3.3) cannot abort a dial, leaves the socket open after a timeout, and never
 * resets one; so its socket is kept, and destroyed unless the dial succeeds.
 */
async function dial(server: string, options: ConnectionOptions, signal: AbortSignal) {
  // One for each dial, disabled after it: an enabled one makes every promise of the process more expensive.
  const dialing = new AsyncLocalStorage<true>()
  let socket: Socket | undefined
  const drop = () => socket?.destroy()
  const takeNote = (message: unknown) => {
    if (!dialing.getStore()) return
    socket = (message as { socket: Socket }).socket
    // In a microtask: the connect that follows would revive a destroyed socket.
    if (signal.aborted) queueMicrotask(drop)
  }
  subscribe(SOCKET_CHANNEL, takeNote)
  signal.addEventListener('abort', drop)
  try {
    const client = await dialing.run(true, () => connect(optionsFor(server, options)))
    if (socket !== undefined) resetAtEnd(socket)
    return { server, client, socket }
  } catch (cause) {
    drop()
    throw cause
  } finally {
    signal.removeEventListener('abort', drop)
    unsubscribe(SOCKET_CHANNEL, takeNote)
    dialing.disable()
  }
}

function optionsFor(server: string, options: ConnectionOptions): ConnectionOptions {
  if (!options.tls) return { ...options, servers: [server] }
  const colon = server.lastIndexOf(':')
  const host = server.slice(0, colon).replace(/^\[|\]$/g, '')
  // For a server named by its address the client would check the certificate against "localhost".
  const tls = { ...(isIP(host) ? { host } : { servername: host }), ...options.tls }
  const open = () => openSocket({ host, port: Number(server.slice(colon + 1)), noDelay: true })
  // Read right before TLS starts. A socket opened inside TLS is not announced on the channel.
  if (tls.handshakeFirst) Object.defineProperty(tls, 'socket', { enumerable: true, get: open })
  return { ...options, servers: [server], tls }
}
