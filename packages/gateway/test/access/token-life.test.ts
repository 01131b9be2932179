import { createGateway, type GatewayOptions } from '@rivulet/twilio'
import { createHub } from 'rivulet'
import { describe, expect, onTestFinished, test } from 'vitest'
import { RawSdk } from '../../../twilio/test/support/raw-sdk.ts'
import { KEYS, servedSync } from '../../../twilio/test/support/sync-client.ts'
import { accessToken, SIGNER } from '../support/access-token.ts'
import { ApiClient } from '../support/api-client.ts'
import { ACCOUNT_KEY, served } from '../support/served-gateway.ts'
import { browserToken, pageHub, servedPages } from '../support/served-pages.ts'

const DAY_SECONDS = 86_400
const TOO_LONG = [{ maxTokenLifeSeconds: 3600 }, expect.stringContaining('it lives too long')]

/** A log that keeps its warnings. */
function warningLog() {
  const warnings: [object, string][] = []
  const warn = (fields: object, message: string) => void warnings.push([fields, message])
  return { log: { debug() {}, info() {}, error() {}, warn }, warnings }
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

describe('a token that lives too long', () => {
  test('is refused over REST like any other, and the log says why', async () => {
    const { log, warnings } = warningLog()
    const { url } = await served({ keys: KEYS, log })
    const tokens = [
      accessToken({ ttl: DAY_SECONDS }),
      accessToken({ secret: 'x'.repeat(32) }),
      accessToken({ key: `SK${'9'.repeat(32)}`, ttl: DAY_SECONDS }),
    ]
    const seen: unknown[] = []
    for (const token of tokens) {
      const { status, headers, body } = await new ApiClient(url, bearer(token)).publish('a', {})
      const lines: string[] = []
      headers.forEach((value, name) => void (name !== 'date' && lines.push(`${name}: ${value}`)))
      seen.push({ status, body, lines })
    }
    expect(seen).toEqual([seen[0], seen[0], seen[0]])
    expect(seen[0]).toMatchObject({ status: 401 })
    expect(warnings).toEqual([TOO_LONG])
  })

  test('is refused to a client SDK like any other, and the log says why', async () => {
    const { log, warnings } = warningLog()
    const { url } = await servedSync({ log })
    const sdk = await new RawSdk(url).open()
    const reply = await sdk.ask({ method: 'init', token: accessToken({ ttl: DAY_SECONDS }) })
    expect(reply.header.status).toMatchObject({ code: 401, errorCode: 20101 })
    expect(warnings).toEqual([TOO_LONG])
  })

  test('is refused to a page, which is told why', async () => {
    const { log, warnings } = warningLog()
    const { url } = await servedPages({ log })
    const page = pageHub(url, { token: () => browserToken({ expiresInSeconds: 7200 }) })
    await expect(page.ready()).rejects.toMatchObject({
      code: 'TRANSPORT_FAILED',
      message: expect.stringContaining('lives longer than it may'),
    })
    expect(warnings).toEqual(Array(5).fill(TOO_LONG)) // a page asks for a token five times before it gives up
  })

  test('is taken with maxTokenLifeSeconds', async () => {
    const { url } = await servedSync({ maxTokenLifeSeconds: DAY_SECONDS })
    await new ApiClient(url).create({ UniqueName: 'a' })
    const statusOf = async (ttl: number) =>
      (await new ApiClient(url, bearer(accessToken({ ttl }))).publish('a', {})).status
    expect([await statusOf(DAY_SECONDS), await statusOf(DAY_SECONDS + 300)]).toEqual([201, 401])
    await (await new RawSdk(url).open()).init(accessToken({ ttl: DAY_SECONDS }))
  })
})

test('API keys whose secrets can sign no token are warned of, at the start and later', async () => {
  const { log, warnings } = warningLog()
  const hub = createHub()
  const long = { sid: SIGNER.sid, secret: 'x'.repeat(32) }
  const short = { sid: `SK${'6'.repeat(32)}`, secret: 'x'.repeat(31) }
  const options: GatewayOptions = { hub, keys: [ACCOUNT_KEY, long, short], log }
  const gateway = createGateway(options)
  onTestFinished(async () => {
    await gateway.close()
    await hub.close()
  })
  expect(warnings).toEqual([[{ key: short.sid }, expect.stringContaining('under 32 characters')]])
  gateway.setKeys([ACCOUNT_KEY, { ...long, secret: 'short' }])
  expect(warnings.slice(1)).toEqual([[{ key: long.sid }, expect.stringContaining('under 32 characters')]])
  expect(JSON.stringify(warnings)).not.toContain('xxx')
})
