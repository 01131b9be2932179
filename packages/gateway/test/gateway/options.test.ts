import { createGateway, type GatewayOptions } from '@rivulet/gateway'
import { twilio } from '@rivulet/twilio'
import { createHub, type Hub } from 'rivulet'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ACCOUNT_KEY } from '../support/served-gateway.ts'

const LIST = 'http://127.0.0.1/v1/Services'
const AUTHORIZATION = `Basic ${btoa(`${ACCOUNT_KEY.sid}:${ACCOUNT_KEY.secret}`)}`
const UNAUTHENTICATED = {
  code: 20003,
  message: 'Authenticate',
  more_info: 'https://www.twilio.com/docs/errors/20003',
  status: 401,
}

let hub: Hub
beforeEach(() => {
  hub = createHub()
})
afterEach(() => hub.close().then(() => {}))

describe('a gateway without a protocol', () => {
  test('has no routes but its own, and no WebSockets without a relay', async () => {
    const gateway = createGateway({ hub, keys: [ACCOUNT_KEY] })
    const answer = await gateway.fetch(new Request(LIST, { headers: { authorization: AUTHORIZATION } }))
    expect(answer.status).toBe(404)
    expect(await answer.json()).toEqual({
      code: 20404,
      message: 'The requested resource was not found',
      status: 404,
    })
    const description = await gateway.fetch(new Request('http://127.0.0.1/openapi.json'))
    expect(description.status).toBe(404)
    const health = await gateway.fetch(new Request('http://127.0.0.1/healthz'))
    expect([health.status, await health.json()]).toEqual([200, { status: 'up' }])
    expect(gateway.sockets).toEqual([])
    await gateway.close()
  })

  test.each([
    [{ registry: {} }, /The option registry is one of @rivulet\/twilio now/],
    [{ twilsock: false }, /The option twilsock is one of @rivulet\/twilio now/],
    [{ limits: { sdk: { stallMs: 5 } } }, /no limit limits.sdk; there are pages/],
    [{ protocol: {} }, /protocol is a function/],
  ])('refuses options that are not its own: %j', (given, message) => {
    const make = () => createGateway({ hub, keys: [ACCOUNT_KEY], ...given } as unknown as GatewayOptions)
    expect(make).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }))
    expect(make).toThrow(message)
  })
})

test('a gateway serves the protocol that it is given', async () => {
  const gateway = createGateway({ hub, keys: [ACCOUNT_KEY], basePath: '/sync', protocol: twilio() })
  const url = LIST.replace('/v1', '/sync/v1')
  const answer = await gateway.fetch(new Request(url, { headers: { authorization: AUTHORIZATION } }))
  expect(answer.status).toBe(200)
  const refused = await gateway.fetch(new Request(url))
  expect([refused.status, await refused.json()]).toEqual([401, UNAUTHENTICATED])
  expect(gateway.sockets.map(({ path }) => path)).toEqual(['/sync/v3/wsconnect'])
  await gateway.close()
})
