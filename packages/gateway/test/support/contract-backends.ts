import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { memoryBus } from '@rivulet/memory'
import { mqtt } from '@rivulet/mqtt'
import { nats } from '@rivulet/nats'
import { websocket } from '@rivulet/websocket'
import type { Topic, Transport } from 'rivulet'
import { hubNameOf } from 'rivulet/adapter'
import type { ContractBackend } from 'rivulet/testing'
import { WebSocket } from 'ws'
import { type Broker, startMosquitto, startNats } from '../../../../test/support/brokers.ts'
import { type Relay, relay, servePages } from '../../src/relay.ts'
import { PageServer } from './page-server.ts'
import { trustedSession } from './sessions.ts'

const PUBLISHER = fileURLToPath(new URL('./foreign-page.mjs', import.meta.url))

/** Pages of one server, trusted ones, whose relays have nothing upstream. */
export async function clientBackend(): Promise<ContractBackend> {
  const server = await serveRelays(() => relay())
  return {
    transport: () => websocket({ url: server.url, WebSocket }),
    elsewhere: (topic, frame) => sendElsewhere(server.url, topic, frame),
    down: () => server.stop(),
    up: () => server.start(),
    close: () => server.close(),
  }
}

/** Relays over a bus in this process; a page of a further one speaks from elsewhere. */
export async function relayBackend(): Promise<ContractBackend> {
  const bus = memoryBus()
  const server = await serveRelays(() => relay(bus.transport()))
  return {
    transport: () => relay(bus.transport()),
    elsewhere: (topic, frame) => sendElsewhere(server.url, topic, frame),
    down: async () => bus.down(),
    up: async () => bus.up(),
    close: () => server.close(),
  }
}

/** Relays over a nats-server, and pages of a further one in turn. */
export async function relayOverNatsBackend(): Promise<ContractBackend> {
  const broker = await startNats()
  const address = `127.0.0.1:${new URL(broker.url).port}`
  return relayOver(broker, () => nats({ servers: address }))
}

/** The same over a mosquitto. */
export async function relayOverMqttBackend(): Promise<ContractBackend> {
  const broker = await startMosquitto({ config: 'set_tcp_nodelay true' })
  return relayOver(broker, () => mqtt({ url: broker.url }))
}

async function relayOver(broker: Broker, upstream: () => Transport): Promise<ContractBackend> {
  const server = await serveRelays(() => relay(upstream()))
  return {
    transport: () => relay(upstream()),
    elsewhere: (topic, frame) => sendElsewhere(server.url, topic, frame),
    down: () => broker.kill(),
    up: () => broker.restart(),
    close: async () => {
      await server.close()
      await broker.close()
    },
  }
}

/** Serves a relay for each hub that a page names. */
async function serveRelays(make: () => Relay): Promise<PageServer> {
  const relays = new Map<string, Promise<Relay>>()
  const open = async (hub: string) => {
    const made = make()
    await made.open(
      { hub, receive() {}, watched() {}, down() {}, error() {}, left() {} },
      AbortSignal.timeout(10_000),
    )
    return made
  }
  const pages = servePages({
    authenticate: async ({ hub }) => {
      const opened = relays.get(hub) ?? open(hub)
      relays.set(hub, opened)
      return trustedSession(await opened)
    },
  })
  const server = new PageServer(pages)
  await server.start()
  const { close } = server
  server.close = async () => {
    await close.call(server)
    for (const opened of relays.values()) await (await opened).close(AbortSignal.abort())
  }
  return server
}

async function sendElsewhere(url: string, topic: Topic, frame: string): Promise<void> {
  const publisher = spawn(process.execPath, [PUBLISHER, url], { stdio: ['pipe', 'inherit', 'inherit'] })
  publisher.stdin.end(JSON.stringify({ hub: hubNameOf(topic), topic, frame }))
  const [code] = await once(publisher, 'exit')
  if (code !== 0) throw new Error(`The foreign page ended with code ${code}.`)
}
