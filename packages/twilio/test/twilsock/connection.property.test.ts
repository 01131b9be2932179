import { createGateway } from '@rivulet/twilio'
import fc from 'fast-check'
import { createHub } from 'rivulet'
import { expect, onTestFinished, test } from 'vitest'
import { SERVICE } from '../../../gateway/test/support/served-gateway.ts'
import { FakeSocket } from '../support/fake-socket.ts'
import { rawFrame } from '../support/raw-sdk.ts'
import { KEYS, tokenOf } from '../support/sync-client.ts'

const METHODS = ['GET', 'POST', 'DELETE', 'PUT', '__proto__', '']
const PATHS = [
  '/v3/Streams',
  '/v3/Streams/a',
  '/v3/Streams/a/Messages',
  '/v4/Subscriptions',
  '/v3/Lists',
  '',
  '/',
]
const FIELDS = [
  'data',
  'ttl',
  'unique_name',
  'action',
  'correlation_id',
  'requests',
  'object_sid',
  'object_type',
]

const body = fc.oneof(
  fc.json(),
  fc.string(),
  fc
    .dictionary(fc.constantFrom(...FIELDS), fc.jsonValue({ maxDepth: 3 }))
    .map((value) => JSON.stringify(value)),
)
const request = fc.record(
  { method: fc.constantFrom(...METHODS), path: fc.constantFrom(...PATHS), host: fc.jsonValue() },
  { requiredKeys: [] },
)
const header = fc.record(
  {
    method: fc.constantFrom('message', 'update', 'reply', 'telemetry.v1', 'ping', 'init', 'close', 'other'),
    id: fc.oneof(fc.string(), fc.jsonValue()),
    token: fc.jsonValue(),
    http_request: fc.oneof(request, fc.jsonValue()),
  },
  { requiredKeys: ['method'] },
)
const message = fc.oneof(
  fc.uint8Array({ maxLength: 100 }),
  fc.string(),
  fc.tuple(header, body).map(([head, payload]) => rawFrame(head, payload)),
)

test('whatever a client sends, nothing is thrown, and no other client is affected', async () => {
  const hub = createHub()
  const failures: object[] = []
  const error = (fields: object) => void failures.push(fields)
  const log = { debug() {}, info() {}, warn() {}, error }
  const limits = { streams: { creationsPerSecond: 1000 }, sdk: { maxPerIdentity: 2 } }
  const gateway = createGateway({ services: { [SERVICE]: hub }, keys: KEYS, log, limits })
  onTestFinished(async () => {
    await gateway.close()
    await hub.close()
  })
  const accept = () => {
    const socket = new FakeSocket()
    socket.handler = gateway.acceptTwilsock(socket)
    return socket
  }
  const witness = accept()
  await witness.ask({ method: 'init', token: tokenOf('alice') })
  const ask = { method: 'message', http_request: { method: 'GET', path: '/v3/Streams/nobody' } }
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(message, { maxLength: 8 }), async (isKnown, messages) => {
      const socket = accept()
      if (isKnown) await socket.ask({ method: 'init', token: tokenOf('bob') })
      for (const each of messages) socket.handler?.receive(each)
      expect((await witness.ask(ask)).header.http_status.code).toBe(404)
      socket.handler?.closed()
      expect(gateway.counts).toMatchObject({ connections: 1, subscriptions: 0 })
    }),
    { numRuns: 300 },
  )
  expect(failures).toEqual([])
})
