import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { isIP, type Socket } from 'node:net'
import { type ConnectionOptions, connect, type NatsConnection } from '@nats-io/transport-node'
import { refusalOf } from './refusal.ts'

const SOCKET_CHANNEL = 'net.client.socket'

/** Dials the servers one after another until one answers; each takes at most the client's `timeout`. */
export async function dialAny(
  servers: readonly string[],
  options: ConnectionOptions,
  signal: AbortSignal,
): Promise<{ client: NatsConnection; server: string }> {
  const failures: { server: string; cause: unknown }[] = []
  for (const server of servers) {
    signal.throwIfAborted()
    try {
      return { client: await dial(server, options, signal), server }
    } catch (cause) {
      signal.throwIfAborted()
      failures.push({ server, cause })
    }
  }
  throw refusalOf(failures)
}

/**
 * Dials one server. The client (nats.js 3.4) cannot give up a dial, and leaves the socket of one that timed out
 * open; so the sockets that it makes are taken note of, and are destroyed unless the dial succeeds.
 */
async function dial(
  server: string,
  options: ConnectionOptions,
  signal: AbortSignal,
): Promise<NatsConnection> {
  const sockets = new Set<Socket>()
  // One for each dial, to be disabled after it: while one is enabled, every promise of the process costs more.
  const dialing = new AsyncLocalStorage<Set<Socket>>()
  const dropped = new AbortController()
  const takeNote = (message: unknown) => {
    if (dialing.getStore() !== sockets) return
    const { socket } = message as { socket: Socket }
    sockets.add(socket)
    // Not at once: the connect that follows would revive a destroyed socket.
    if (dropped.signal.aborted) queueMicrotask(() => socket.destroy())
  }
  const drop = () => {
    dropped.abort()
    for (const socket of sockets) socket.destroy()
  }
  subscribe(SOCKET_CHANNEL, takeNote)
  signal.addEventListener('abort', drop)
  try {
    const client = await dialing.run(sockets, () => connect(optionsFor(server, options, dropped.signal)))
    if (!signal.aborted) return client
    await client.close()
    throw signal.reason
  } catch (cause) {
    drop()
    throw cause
  } finally {
    signal.removeEventListener('abort', drop)
    unsubscribe(SOCKET_CHANNEL, takeNote)
    dialing.disable()
  }
}

function optionsFor(server: string, options: ConnectionOptions, dropped: AbortSignal): ConnectionOptions {
  if (!options.tls) return { ...options, servers: [server] }
  const host = server.slice(0, server.lastIndexOf(':')).replace(/^\[|\]$/g, '')
  // The client would check the certificate of a server that is named by its address against "localhost".
  const identity = isIP(host) ? { host } : { servername: host }
  const tls = {
    ...identity,
    ...options.tls,
    // Read right before the client makes a TLS-first socket, which is not announced on the channel. One that is
    // given an aborted signal connects nevertheless, and then fails an assertion of Node 20, ending the process.
    get signal() {
      dropped.throwIfAborted()
      return options.tls?.handshakeFirst ? dropped : undefined
    },
  }
  return { ...options, servers: [server], tls }
}
