import { createGateway } from '@rivulet/gateway'
import { servePages } from '@rivulet/gateway/relay'
import { memoryBus } from '@rivulet/memory'
import { mqtt } from '@rivulet/mqtt'
import { nats } from '@rivulet/nats'
import { observe, traceMessages } from '@rivulet/otel'
import { register } from '@rivulet/otel/prometheus'
import { redis } from '@rivulet/redis'
import { replay } from '@rivulet/replay'
import { threads } from '@rivulet/threads'
import { createGateway as createTwilioGateway, twilio } from '@rivulet/twilio'
import { websocket } from '@rivulet/websocket'
import { Registry } from 'prom-client'
import { createHub, Hub, openHub, RivuletError } from 'rivulet'
import { expect, onTestFinished, test } from 'vitest'
import { PublicNames } from '../support/public-names.ts'

type Make = (options: never) => unknown

const packageOf = (name: string) => `packages/${name}/src/index.ts`
/** The entry, the name of the options, what they need, and what takes them. */
const CASES: readonly [string, string, object, Make][] = [
  ['src/index.ts', 'HubOptions', {}, createHub],
  ['src/index.ts', 'StreamOptions', {}, (options) => createHub().stream('s', options)],
  ['src/index.ts', 'LimitOptions', {}, (limit) => createHub().stream('s', { limit })],
  ['src/index.ts', 'OpenOptions', {}, (options) => openHub('memory:undefined', options)],
  ['src/index.ts', 'SignalOption', {}, (options) => createHub().flush(options)],
  ['src/index.ts', 'IterateOptions', {}, (options) => createHub().stream('s').iterate(options)],
  ['src/index.ts', 'ErrorDetails', {}, (details) => new RivuletError('INVALID_NAME', 'm', details)],
  [packageOf('memory'), 'MemoryBusOptions', {}, memoryBus],
  [packageOf('mqtt'), 'MqttOptions', { url: 'mqtt://127.0.0.1' }, mqtt],
  [packageOf('nats'), 'NatsOptions', {}, nats],
  [packageOf('redis'), 'RedisOptions', {}, redis],
  [packageOf('replay'), 'ReplayOptions', { file: 'none' }, replay],
  [packageOf('threads'), 'ThreadsOptions', {}, threads],
  [packageOf('websocket'), 'WebSocketOptions', { url: 'ws://127.0.0.1', WebSocket: class {} }, websocket],
  ['packages/gateway/src/relay.ts', 'PagesOptions', { authenticate: () => undefined }, servePages],
  [packageOf('otel'), 'ObserveOptions', {}, (options) => observe(createHub(), options)],
  [packageOf('otel'), 'TraceOptions', {}, traceMessages],
  [
    'packages/otel/src/prometheus.ts',
    'RegisterOptions',
    { registry: new Registry() },
    (options) => register(createHub(), options),
  ],
  [packageOf('gateway'), 'GatewayOptions', { hub: createHub(), open: true }, createGateway],
  [packageOf('twilio'), 'GatewayOptions', { hub: createHub(), open: true }, createTwilioGateway],
  [packageOf('twilio'), 'TwilioOptions', {}, twilio],
]
const names = new PublicNames([...new Set(CASES.map(([entry]) => entry))])

test.each(CASES)(
  '%s: %s whose members are undefined are as if left out',
  async (entry, name, given, make) => {
    const members = names.membersOf(entry, name)
    const options = Object.fromEntries(members.map((member) => [member, undefined]))
    expect(members).not.toEqual([])
    const made = await make({ ...options, ...given } as never)
    onTestFinished(() => void (made instanceof Hub && made.close()))
  },
)

test('details of an error that are undefined are no fields of it', () => {
  const error = new RivuletError('INVALID_NAME', 'm', { stream: undefined, path: undefined })
  expect(Object.keys(error).sort()).toEqual(['code', 'name'])
})
