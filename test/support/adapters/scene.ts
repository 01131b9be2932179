import type { AddressInfo, Server, Socket } from 'node:net'
import type { Transport } from 'rivulet'
import type { RecordingHost } from 'rivulet/testing'
import { onTestFinished } from 'vitest'
import type { Broker } from '../brokers.ts'
import { Authority } from '../certificates.ts'
import { type FaultProxy, startProxy } from '../fault-proxy.ts'
import { ending } from '../live.ts'
import { shortHost, within } from './waits.ts'

/** A broker, or the addresses of several. */
export type Target = Broker | readonly string[]

/** Servers and transports of one adapter, which end with the test. */
export interface AdapterScene<ServerOptions, Options> {
  server(options?: ServerOptions): Promise<Broker>
  transportTo(target: Target, options?: Options): Transport
  opened(
    target: Target,
    options?: Options,
    host?: RecordingHost,
  ): Promise<{ readonly transport: Transport; readonly host: RecordingHost }>
}

/** Makes the scene of an adapter from how its server starts and how its transport is made. */
export function adapterScene<ServerOptions, Options>(
  start: (options?: ServerOptions) => Promise<Broker>,
  make: (servers: readonly string[], options: Options | undefined) => Transport,
): AdapterScene<ServerOptions, Options> {
  const transportTo = (target: Target, options?: Options) => {
    const transport = make('port' in target ? [addressOf(target)] : target, options)
    onTestFinished(() => transport.close(AbortSignal.abort()))
    return transport
  }
  return {
    server: (options) => ending(start(options)),
    transportTo,
    async opened(target, options, host = shortHost()) {
      const transport = transportTo(target, options)
      await transport.open(host, within())
      return { transport, host }
    },
  }
}

export function addressOf({ port }: { readonly port: number }): string {
  return `127.0.0.1:${port}`
}

/** Listens on a free port until the test ends. `sockets`: those that are connected. */
export async function listening(listener: Server, host = '127.0.0.1') {
  const sockets = new Set<Socket>()
  listener.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => listener.listen(0, host, resolve))
  onTestFinished(() => {
    listener.close()
    for (const socket of sockets) socket.destroy()
  })
  return { address: addressOf(listener.address() as AddressInfo), sockets }
}

/** Makes an authority whose files go with the test. */
export function authority(): Authority {
  const made = new Authority()
  onTestFinished(() => made.close())
  return made
}

/** Puts a proxy before a broker until the test ends. */
export async function proxyTo(broker: Broker): Promise<FaultProxy> {
  const proxy = await startProxy(broker)
  onTestFinished(() => proxy.close())
  return proxy
}
