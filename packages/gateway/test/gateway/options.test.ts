import { createHub, type Hub } from 'rivulet'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { resolveOptions } from '../../src/gateway/gateway-options.ts'
import {
  createGateway,
  DEFAULT_SERVICE_SID,
  type GatewayOptions,
  memoryRegistry,
  type NatsRegistryOptions,
  openNatsRegistry,
  relay,
  serve,
  serveMetrics,
} from '../../src/index.ts'
import { ACCOUNT_KEY, served } from '../support/served-gateway.ts'

let hub: Hub
beforeEach(() => {
  hub = createHub()
})
afterEach(() => hub.close().then(() => {}))

describe("a gateway's options", () => {
  test('have defaults, as they are documented', () => {
    expect(resolveOptions({ hub, keys: [ACCOUNT_KEY] })).toMatchObject({
      ...{ maxListenersPerKey: 2000, maxListenersPerHolder: 100, maxStreamsPerService: 50_000 },
      ...{ creationsPerSecond: 20, maxConnectionsPerIdentity: 20, maxSubscriptionsPerConnection: 1000 },
      maxPageSubscriptionsPerIdentity: 10_000,
      ...{ maxConnectionWaitingBytes: 1_048_576, maxWaitingMessages: 256, maxWaitingBytes: 1_048_576 },
      ...{ pageRatePerSecond: 30, pageBurst: 30, maxPageMessagesPerSecond: 300, relays: new Map() },
      ...{
        heartbeatMs: 15_000,
        stallMs: 60_000,
        maxTokenLifeSeconds: 3600,
        twilsock: true,
        accountSid: ACCOUNT_KEY.sid,
      },
    })
    expect(resolveOptions({ hub, open: true })).toMatchObject({
      twilsock: false,
      accountSid: `AC${'0'.repeat(32)}`,
    })
  })

  test('count where they are given', () => {
    const given = { maxListenersPerHolder: 1, maxConnectionWaitingBytes: 2_147_483_647, twilsock: false }
    expect(resolveOptions({ hub, keys: [ACCOUNT_KEY], ...given })).toMatchObject(given)
  })

  const refusals: [given: object, message: RegExp][] = [
    [
      { maxListenersPerholder: 5 },
      /no option maxListenersPerholder; the options are hub, services, relay, relays, keys/,
    ],
    [{ __proto__: null, constructor: 1 }, /no option constructor/],
    [{ maxListenersPerHolder: 0 }, /maxListenersPerHolder is a whole number from 1/],
    [{ creationsPerSecond: 0.5 }, /creationsPerSecond is a whole number from 1/],
    [{ maxStreamsPerService: Infinity }, /maxStreamsPerService is a whole number/],
    [{ maxSubscriptionsPerConnection: '10' }, /maxSubscriptionsPerConnection is a whole number/],
    [{ maxConnectionsPerIdentity: 2 ** 31 }, /maxConnectionsPerIdentity is a whole number/],
    [{ maxTokenLifeSeconds: 86_401 }, /maxTokenLifeSeconds is a number from 1 to 86400/],
    [{ twilsock: 'no' }, /twilsock is true or false/],
    [{ keys: undefined, open: true, twilsock: true }, /twilsock needs keys/],
    [{ accountSid: 'AC1' }, /accountSid is AC/],
    [{ playground: true }, /The playground needs a relay/],
    [{ relays: { [`IS${'1'.repeat(32)}`]: relay() } }, /a relay without a service/],
    [
      { relay: relay(), relays: { [DEFAULT_SERVICE_SID]: relay() } },
      /A relay goes with hub, and relays with services/,
    ],
  ]

  test('do not have one hub for two services', () => {
    const services = { [`IS${'1'.repeat(32)}`]: hub, [`IS${'2'.repeat(32)}`]: hub }
    expect(() => createGateway({ services, keys: [ACCOUNT_KEY] })).toThrow(/Two services have the same hub/)
  })

  test('do not have two hubs of one name for pages', async () => {
    const sids = [`IS${'1'.repeat(32)}`, `IS${'2'.repeat(32)}`] as const
    const other = createHub()
    const services = { [sids[0]]: hub, [sids[1]]: other }
    const relays = { [sids[0]]: relay(), [sids[1]]: relay() }
    expect(() => createGateway({ services, relays, keys: [ACCOUNT_KEY] })).toThrow(/hubs of one name/)
    expect(() => createGateway({ services, relay: relay(), keys: [ACCOUNT_KEY] })).toThrow(/goes with hub/)
    await other.close()
  })

  test.each(refusals)('that can not be used are refused: %j', (given, message) => {
    const make = () => createGateway({ hub, keys: [ACCOUNT_KEY], ...given } as GatewayOptions)
    expect(make).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }))
    expect(make).toThrow(message)
  })
})

const SERVERS = '127.0.0.1:1'

describe('options beside those of a gateway', () => {
  const opened: [what: string, open: (given: object) => unknown, refusals: [object, RegExp][]][] = [
    [
      'serve',
      (given) => serve(createGateway({ hub, keys: [ACCOUNT_KEY] }), given),
      [
        [{ prot: 0 }, /no option prot; the options are port, hostname/],
        [{ port: '8080' }, /port is a number from 0 to 65535/],
        [{ port: 65_536 }, /port is a number/],
        [{ hostname: 5 }, /hostname is a text/],
        [{ maxConnections: 0 }, /maxConnections is a whole number from 1/],
        [{ writeStallMs: 'soon' }, /writeStallMs is a whole number from 1/],
        [{ writeStallMs: Infinity }, /writeStallMs is a whole number/],
        [{ headersTimeoutMs: -1 }, /headersTimeoutMs is a whole number from 0/],
        [{ requestTimeoutMs: null }, /requestTimeoutMs is a whole number/],
        [{ keepAliveTimeoutMs: 0.5 }, /keepAliveTimeoutMs is a whole number/],
      ],
    ],
    [
      'serveMetrics',
      (given) => serveMetrics(createGateway({ hub, keys: [ACCOUNT_KEY] }), given),
      [
        [{ prot: 5 }, /no option prot/],
        [{ port: -1 }, /port is a number/],
        [{ hostname: 5 }, /hostname is a text/],
      ],
    ],
    [
      'memoryRegistry',
      (given) => memoryRegistry(given),
      [
        [{ now: Date.now }, /no option now; the options are nowMs/],
        [{ nowMs: 5 }, /nowMs is a function/],
      ],
    ],
    [
      'openNatsRegistry',
      (given) => openNatsRegistry({ servers: SERVERS, ...given } as NatsRegistryOptions),
      [
        [{ bukcet: 'mine' }, /no option bukcet/],
        [{ servers: [] }, /servers is a text or a list of texts/],
        [{ servers: undefined }, /servers is a text or a list of texts/],
        [{ servers: [5] }, /servers is a text/],
        [{ replicas: 6 }, /replicas is a number from 1 to 5/],
        [{ user: 'ann', password: 12_345 }, /password is a text/],
      ],
    ],
  ]
  const rows = opened.flatMap(([what, open, refusals]) =>
    refusals.map(([given, message]) => [what, given, message, open] as const),
  )

  test.each(rows)('of %s that can not be used are refused: %j', async (_what, given, message, open) => {
    const opening = expect(async () => open(given)).rejects
    await opening.toMatchObject({ code: 'INVALID_OPTIONS', message: expect.stringMatching(message) })
  })

  test('are as if they were left out where they are undefined', async () => {
    const { server } = await served({}, { hostname: undefined, writeStallMs: undefined } as object)
    await expect(server.close({ timeout: 5 } as object)).rejects.toMatchObject({
      message: expect.stringMatching(/no option timeout/),
    })
    await expect(server.close({ timeoutMs: Infinity })).rejects.toMatchObject({
      message: expect.stringMatching(/timeoutMs is a whole number from 0/),
    })
    await server.close({ timeoutMs: undefined } as object)
  })
})
