import { limitsOf } from '@rivulet/gateway/protocol'
import {
  createGateway,
  DEFAULT_SERVICE_SID,
  type GatewayOptions,
  LIMIT_BOUNDS,
  memoryRegistry,
  relay,
  serve,
  serveMetrics,
} from '@rivulet/twilio'
import { type NatsRegistryOptions, openNatsRegistry } from '@rivulet/twilio/registry-nats'
import { createHub, type Hub } from 'rivulet'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { resolveOptions } from '../../gateway/src/gateway/gateway-options.ts'
import { ACCOUNT_KEY, served } from '../../gateway/test/support/served-gateway.ts'

let hub: Hub
beforeEach(() => {
  hub = createHub()
})
afterEach(() => hub.close().then(() => {}))

describe("a gateway's options", () => {
  test('have defaults, as they are documented', () => {
    expect(limitsOf(undefined, LIMIT_BOUNDS)).toEqual({
      listeners: {
        maxPerKey: 2000,
        maxPerHolder: 100,
        maxWaitingMessages: 256,
        maxWaitingBytes: 1_048_576,
        heartbeatMs: 15_000,
        stallMs: 60_000,
      },
      pages: {
        maxPerKey: 2000,
        maxPerIdentity: 20,
        ratePerSecond: 30,
        burst: 30,
        publishers: 1,
        maxBytes: 4096,
        maxMessagesPerSecond: 300,
        maxJoinsPerPage: 1000,
        maxJoinsPerIdentity: 10_000,
        maxWaitingBytes: 1_048_576,
        maxPending: 2000,
      },
      sdk: {
        maxPerIdentity: 20,
        maxSubscriptions: 1000,
        maxWaitingBytes: 1_048_576,
        maxPending: 2000,
        stallMs: 60_000,
      },
      streams: { maxPerService: 50_000, creationsPerSecond: 20 },
    })
    expect(resolveOptions({ hub, keys: [ACCOUNT_KEY] })).toMatchObject({
      relays: new Map(),
      maxTokenLifeSeconds: 3600,
      accountSid: ACCOUNT_KEY.sid,
    })
    expect(createGateway({ hub, keys: [ACCOUNT_KEY] }).twilsockPath).toBe('/v3/wsconnect')
    expect(resolveOptions({ hub, open: true })).toMatchObject({ accountSid: `AC${'0'.repeat(32)}` })
    expect(createGateway({ hub, open: true }).twilsockPath).toBeUndefined()
  })

  test('count where they are given', () => {
    const given = {
      listeners: { maxPerHolder: 1 },
      sdk: { maxWaitingBytes: 2_147_483_647 },
      pages: undefined,
    }
    const limits = limitsOf(given, LIMIT_BOUNDS)
    expect([limits.listeners.maxPerHolder, limits.sdk.maxWaitingBytes]).toEqual([1, 2_147_483_647])
    expect(limits.pages.burst).toBe(30)
    expect(createGateway({ hub, keys: [ACCOUNT_KEY], twilsock: false }).twilsockPath).toBeUndefined()
  })

  const refusals: [given: object, message: RegExp][] = [
    [
      { maxListenersPerholder: 5 },
      /no option maxListenersPerholder; the options are hub, services, relay, relays, keys/,
    ],
    [{ __proto__: null, constructor: 1 }, /no option constructor/],
    [
      { limits: { listeners: { maxPerHolder: 0 } } },
      /limits.listeners.maxPerHolder is a whole number from 1/,
    ],
    [
      { limits: { streams: { creationsPerSecond: 0.5 } } },
      /limits.streams.creationsPerSecond is a whole number/,
    ],
    [{ limits: { streams: { maxPerService: Infinity } } }, /limits.streams.maxPerService is a whole number/],
    [{ limits: { sdk: { maxSubscriptions: '10' } } }, /limits.sdk.maxSubscriptions is a whole number/],
    [{ limits: { pages: { maxPerIdentity: 2 ** 31 } } }, /limits.pages.maxPerIdentity is a whole number/],
    [{ limits: { pages: { maxBytes: 65_537 } } }, /limits.pages.maxBytes is a number from 1 to 65536/],
    [{ limits: { pages: { brust: 5 } } }, /no limit limits.pages.brust; there are maxPerKey, maxPerIdentity/],
    [{ limits: { page: {} } }, /no limit limits.page; there are listeners, pages, sdk, streams/],
    [{ limits: { pages: 5 } }, /limits.pages is an object of maxPerKey/],
    [{ limits: 5 }, /limits is an object of listeners/],
    [{ pageBurst: 60 }, /The option pageBurst is now limits.pages.burst/],
    [{ maxListenersPerKey: 5 }, /is now limits.listeners.maxPerKey and limits.pages.maxPerKey/],
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
        [{ user: 'ann', password: 12_345 }, /password is a text, or a function that gives one/],
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
