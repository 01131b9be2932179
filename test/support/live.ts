import {
  createHub,
  type Hub,
  type HubConfig,
  type HubOptions,
  type Ledger,
  loadTransport,
  openHub,
  type Transport,
} from 'rivulet'
import { expect, onTestFinished } from 'vitest'
import type { Broker } from './brokers.ts'
import { expectLaws } from './ledger-laws.ts'

export {
  BROKER_KINDS,
  type BrokerKind,
  ENDPOINT_KINDS,
  type EndpointKind,
  FAILING_KINDS,
  SERVER_KINDS,
} from './server-kinds.ts'

/** Hands a broker over to the test, which ends it. */
export async function ending(starting: Promise<Broker>): Promise<Broker> {
  const broker = await starting
  onTestFinished(() => broker.close())
  return broker
}

/** Opens a hub that the test closes, and whose ledger is lawful then. */
export async function openLive(config: HubConfig): Promise<Hub> {
  return lawful(await openHub(config))
}

/** Makes a hub, up or not, that the test closes, and whose ledger is lawful then. */
export function makeLive(options: HubOptions): Hub {
  return lawful(createHub(options))
}

/** Makes the transport of a URL, for a hub that need not be up. */
export function transportOf(url: string): Promise<Transport> {
  return loadTransport(url)
}

/** Closes hubs and checks the laws of their ledgers. */
export async function closeLawfully(...hubs: readonly Hub[]): Promise<Ledger[]> {
  const ledgers = await Promise.all(hubs.map((hub) => hub.close()))
  for (const ledger of ledgers) expectLaws(ledger)
  return ledgers
}

/** Expects of a value that it becomes right, without asserting when. */
export function eventually<Value>(read: () => Value) {
  return expect.poll(read, { interval: 20 })
}

function lawful(hub: Hub): Hub {
  onTestFinished(async () => void (await closeLawfully(hub)))
  return hub
}
