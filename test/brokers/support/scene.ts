import { expect, type TestContext, test, vi } from 'vitest'
import type { Broker } from '../../support/brokers.ts'
import { type FaultProxy, startProxy } from '../../support/fault-proxy.ts'
import { expectLaws } from '../../support/ledger-laws.ts'
import {
  BROKER_KINDS,
  type BrokerKind,
  ENDPOINT_KINDS,
  type EndpointKind,
  SERVER_KINDS,
} from '../../support/live.ts'
import { eventually } from './eventually.ts'
import type { MemberOptions } from './member.ts'
import { MemberProcess } from './member-process.ts'

const TIMEOUT_MS = 180_000
// Faults are mostly waiting, but each test starts up to five programs.
const SIDE_BY_SIDE = 16

/**
 * The largest frame that a test sends to each broker: what nats-server takes by itself, and what mosquitto is told here.
 * Redis takes 512 MB, and cuts off who does not read 32 MB.
 */
export const MAX_FRAME_BYTES = {
  nats: 1_048_576,
  'mqtt 5': 16_777_216,
  'mqtt 3.1.1': 16_777_216,
  redis: 16_777_216,
}

const MOSQUITTO_CONFIG = [
  // Without it mosquitto holds the first frame after a SUBACK back for 40 ms.
  'set_tcp_nodelay true',
  // By itself it takes 256 MB, which is too much for a test.
  `message_size_limit ${MAX_FRAME_BYTES['mqtt 5']}`,
].join('\n')

/**
 * Declares a test for each broker and protocol, and for pages of a gateway. They run side by side, each with a broker or
 * a gateway of its own. Afterwards every member closes its hub, keeps the ledger's laws, has printed nothing, and ends
 * by itself.
 */
export function testOnEveryEndpoint(name: string, run: (scene: Scene) => Promise<void>): void {
  for (const kind of ENDPOINT_KINDS) testOn(kind, name, run)
}

/** The same with Valkey, where there is one: for what becomes of hubs when their server or link fails. */
export function testOnEveryServer(
  name: string,
  run: (scene: Scene) => Promise<void>,
  kinds: readonly EndpointKind[] = SERVER_KINDS,
): void {
  for (const kind of kinds) testOn(kind, name, run)
}

/** For brokers only: for what the gateway's own tests look at. */
export function testOnEveryBroker(
  name: string,
  run: (scene: Scene<BrokerKind['kind']>) => Promise<void>,
): void {
  for (const kind of BROKER_KINDS) testOn(kind, name, run)
}

function testOn<Kind extends AnyKind>(
  kind: EndpointKind & { readonly kind: Kind },
  name: string,
  run: (scene: Scene<Kind>) => Promise<void>,
): void {
  vi.setConfig({ maxConcurrency: SIDE_BY_SIDE })
  test.concurrent(`${name}, over ${kind.kind}`, { timeout: TIMEOUT_MS }, async (context) => {
    await play(kind, context, run)
  })
}

/** Runs a scene that ends with the test. */
async function play<Kind extends AnyKind>(
  kind: EndpointKind & { readonly kind: Kind },
  context: TestContext,
  run: (scene: Scene<Kind>) => Promise<void>,
): Promise<void> {
  const broker = await kind.start(kind.kind.startsWith('mqtt') ? { config: MOSQUITTO_CONFIG } : {})
  const scene = new Scene(kind, broker)
  context.onTestFinished(() => scene.clear())
  await run(scene)
  await scene.finish()
}

type AnyKind = EndpointKind['kind']

/** One broker or gateway, and the processes that use it. */
export class Scene<Kind extends AnyKind = AnyKind> {
  readonly kind: Kind
  readonly broker: Broker
  readonly #query: string
  readonly #startBetween: EndpointKind['startBetween']
  readonly #between: Broker[] = []
  readonly #members = new Set<MemberProcess>()
  readonly #proxies: FaultProxy[] = []

  constructor({ kind, query, startBetween }: EndpointKind & { readonly kind: Kind }, broker: Broker) {
    this.kind = kind
    this.#startBetween = startBetween
    this.broker = broker
    this.#query = query
  }

  /** Whether its members are pages. */
  get isOverGateway(): boolean {
    return this.broker.upstream !== undefined || this.#startBetween !== undefined
  }

  /** Starts a proxy in front of the broker. */
  async proxy(): Promise<FaultProxy> {
    const proxy = await startProxy(this.broker)
    this.#proxies.push(proxy)
    return proxy
  }

  /** Starts a process whose hub is ready. */
  async member(
    name: string,
    options: Omit<MemberOptions, 'name' | 'url'>,
    address: { readonly url: string } = this.broker,
  ): Promise<MemberProcess> {
    const member = new MemberProcess(name)
    this.#members.add(member)
    const { url } = await this.#reach(address)
    await member.call('open', { name, url: url + this.#query, ...options })
    return member
  }

  /** Has a member close its hub, and expects all to be well with it. */
  async dismiss(member: MemberProcess): Promise<void> {
    const ledger = await member.call('close')
    expectLaws(ledger)
    expect(ledger).toMatchObject({ inFlight: 0, waiting: 0, subscribers: 0 })
    expect(await member.leave()).toBe(0)
    expect(member.output).toBe('')
    this.#members.delete(member)
  }

  /** Dismisses everybody. */
  async finish(): Promise<void> {
    await Promise.all([...this.#members].map((member) => this.dismiss(member)))
  }

  /** Ends what is left of it. */
  async clear(): Promise<void> {
    for (const member of this.#members) member.kill()
    await Promise.all(this.#proxies.map((proxy) => proxy.close()))
    await Promise.all(this.#between.map((gateway) => gateway.close()))
    await this.broker.close()
  }

  async #reach(address: { readonly url: string }): Promise<{ readonly url: string }> {
    if (this.#startBetween === undefined) return address
    const between = await this.#startBetween(address.url)
    this.#between.push(between)
    return between
  }
}

/** Waits until a member hears something that another one publishes from now on. */
export async function flows(from: MemberProcess, to: MemberProcess): Promise<void> {
  const nowMs = Date.now()
  const heard = () => to.call('heardSince', from.name, nowMs)
  await eventually(`${to.name} hears ${from.name}`, heard, (count) => count > 0)
}

/** Waits until a member has heard all of these numbers of another one. */
export async function hasHeard(
  to: MemberProcess,
  from: MemberProcess,
  numbers: readonly number[],
): Promise<void> {
  const missing = () => to.call('missing', from.name, numbers)
  const what = `${to.name} has heard ${from.name}`
  await eventually(what, missing, ({ length }) => length === 0).catch(async (cause: Error) => {
    const ledgers = await Promise.all([from, to].map((member) => member.call('ledger')))
    throw new Error(`${cause.message}; ledgers of both: ${JSON.stringify(ledgers)}`, { cause })
  })
}

/** Publishes on a stream until a member has heard of it, and gives the number of what it heard. */
export async function getsThrough(from: MemberProcess, to: MemberProcess, stream: string): Promise<number> {
  let last = 0
  const heardIt = async () => {
    if (last > 0 && (await to.call('missing', from.name, [last])).length === 0) return true
    ;[last = 0] = await from.call('publish', [stream])
    return false
  }
  await eventually(`${to.name} hears ${from.name} again`, heardIt, (value) => value)
  return last
}
