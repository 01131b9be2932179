import { loadTransport, type Transport } from 'rivulet'
import { WebSocket } from 'ws'
import { websocket } from '../../packages/websocket/src/index.ts'
import { startMosquitto, startNats } from '../support/brokers.ts'
import { type EndpointKind, SERVER_KINDS } from '../support/server-kinds.ts'

/** A transport to compare, on a server that is started for it. */
export interface Kind {
  readonly name: string
  start(): Promise<Server>
}

/** Where one more transport of a kind is made. */
export interface Server {
  connect(): Promise<Transport>
  close(): Promise<void>
}

/** Every transport, and servers that take small frames only: what does not fit is lost. */
export const KINDS: readonly Kind[] = [
  withoutServer('memory', 'memory:differential'),
  withoutServer('threads', 'threads:differential'),
  ...SERVER_KINDS.map(({ kind, start, query }) => onServer(kind, () => start({}), query)),
  onServer('nats with small frames', () => startNats({ config: 'max_payload: 2048' })),
  onServer(
    'mqtt 5 with small frames',
    () => startMosquitto({ config: 'max_packet_size 2048' }),
    '?protocol=5',
  ),
]

function withoutServer(name: string, url: string): Kind {
  return { name, start: async () => ({ connect: () => loadTransport(url), close: async () => {} }) }
}

function onServer(name: string, start: () => ReturnType<EndpointKind['start']>, query = ''): Kind {
  return {
    name,
    async start() {
      const server = await start()
      const url = `${server.url}${query}`
      // Node 20 has no WebSocket of its own.
      const connect = async () => (url.startsWith('ws') ? websocket({ url, WebSocket }) : loadTransport(url))
      return { connect, close: () => server.close() }
    },
  }
}
