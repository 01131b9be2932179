import { expect, type TestContext, test, vi } from 'vitest'
import type { Broker } from '../../support/brokers.ts'
import { type FaultProxy, startProxy } from '../../support/fault-proxy.ts'
import { expectLaws } from '../../support/ledger-laws.ts'
import { BROKER_KINDS, type BrokerKind } from '../../support/live.ts'
import { eventually } from './eventually.ts'
import type { MemberOptions } from './member.ts'
import { MemberProcess } from './member-process.ts'

const TIMEOUT_MS = 180_000
// Faults are mostly waiting.
const SIDE_BY_SIDE = 24

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
 * Declares a test for each broker and protocol, which run side by side, each with a broker of its own. Afterwards
 * every member closes its hub, keeps the ledger's laws, has printed nothing, and ends by itself.
 */
export function testOnEveryBroker(name: string, run: (scene: Scene) => Promise<void>): void {
  vi.setConfig({ maxConcurrency: SIDE_BY_SIDE })
  for (const kind of BROKER_KINDS) {
    test.concurrent(`${name}, over ${kind.kind}`, { timeout: TIMEOUT_MS }, async (context) => {
      await play(kind, context, run)
    })
  }
}

/** Runs a scene that ends with the test. */
async function play(
  kind: BrokerKind,
  context: TestContext,
  run: (scene: Scene) => Promise<void>,
): Promise<void> {
  const broker = await kind.start(kind.kind.startsWith('mqtt') ? { config: MOSQUITTO_CONFIG } : {})
  const scene = new Scene(kind, broker)
  context.onTestFinished(() => scene.clear())
  await run(scene)
  await scene.finish()
}

/** One broker, and the processes that use it. */
export class Scene {
  readonly kind: BrokerKind['kind']
  readonly broker: Broker
  readonly #query: string
  readonly #members = new Set<MemberProcess>()
  readonly #proxies: FaultProxy[] = []

  constructor({ kind, query }: BrokerKind, broker: Broker) {
    this.kind = kind
    this.broker = broker
    this.#query = query
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
    await member.call('open', { name, url: address.url + this.#query, ...options })
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
    await this.broker.close()
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
  await eventually(`${to.name} has heard ${from.name}`, missing, ({ length }) => length === 0)
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
