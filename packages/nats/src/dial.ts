import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { isIP, connect as openSocket, type Socket } from 'node:net'
import { type ConnectionOptions, connect } from '@nats-io/transport-node'
import { refusalOf } from './refusal.ts'

const SOCKET_CHANNEL = 'net.client.socket'

/** A connection to one server. */
export type Dialled = Awaited<ReturnType<typeof dial>>

/** Dials the servers one after another until one answers; each takes at most the client's `timeout`. */
export async function dialAny(servers: readonly string[], options: ConnectionOptions, signal: AbortSignal) {
  const failures: { server: string; cause: unknown }[] = []
  for (const server of servers) {
    signal.throwIfAborted()
    try {
      return await dial(server, options, signal)
    } catch (cause) {
      failures.push({ server, cause })
    }
  }
  signal.throwIfAborted()
  throw refusalOf(failures)
}

/**
 * Dials one server. The client (nats.js 3.3) cannot give up a dial, leaves the socket of one that timed out open,
 * and never resets one; so the socket that it makes is noted, to be destroyed unless the dial succeeds.
 */
async function dial(server: string, options: ConnectionOptions, signal: AbortSignal) {
  // One for each dial, to be disabled after it: while one is enabled, every promise of the process costs more.
  const dialing = new AsyncLocalStorage<true>()
  let socket: Socket | undefined
  const drop = () => socket?.destroy()
  const takeNote = (message: unknown) => {
    if (!dialing.getStore()) return
    socket = (message as { socket: Socket }).socket
    // Not at once: the connect that follows would revive a destroyed socket.
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

/** Has a socket drop what is buffered, in the kernel too, however it comes to be closed: it never leaves later. */
function resetAtEnd(socket: Socket): void {
  socket.destroy = (error) => {
    socket.destroy = Object.getPrototypeOf(socket).destroy
    return error ? socket.destroy(error) : socket.resetAndDestroy()
  }
}

function optionsFor(server: string, options: ConnectionOptions): ConnectionOptions {
  if (!options.tls) return { ...options, servers: [server] }
  const colon = server.lastIndexOf(':')
  const host = server.slice(0, colon).replace(/^\[|\]$/g, '')
  // The client would check the certificate of a server that is named by its address against "localhost".
  const tls = { ...(isIP(host) ? { host } : { servername: host }), ...options.tls }
  const open = () => openSocket({ host, port: Number(server.slice(colon + 1)), noDelay: true })
  // Read right before TLS starts. A socket that TLS makes by itself is not announced on the channel.
  if (tls.handshakeFirst) Object.defineProperty(tls, 'socket', { enumerable: true, get: open })
  return { ...options, servers: [server], tls }
}
