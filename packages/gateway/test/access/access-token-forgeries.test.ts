import { generateKeyPairSync } from 'node:crypto'
import twilio from 'twilio'
import { describe, expect, test } from 'vitest'
import { KeyRing } from '../../src/access/key-ring.ts'
import { verifyAccessToken } from '../../src/access/token.ts'
import { accessToken, forgedAccessToken, SIGNER } from '../support/access-token.ts'
import { ApiClient } from '../support/api-client.ts'
import { ACCOUNT, ACCOUNT_KEY, SERVICE, served } from '../support/served-gateway.ts'

const OTHER_SERVICE = `IS${'9'.repeat(32)}`
const OTHER_ACCOUNT = `AC${'8'.repeat(32)}`
const KEYS = [ACCOUNT_KEY, SIGNER]

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

function verify(token: string, keys: readonly (typeof SIGNER)[]) {
  const services = new Map([
    [SERVICE, {}],
    [OTHER_SERVICE, {}],
  ])
  return verifyAccessToken(token, new KeyRing(keys), services, ACCOUNT, Date.now())
}

describe('a token that is not quite one', () => {
  const { AccessToken } = twilio.jwt
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const short = { sid: `SK${'6'.repeat(32)}`, secret: 'short' }
  const strong = { sid: `SK${'7'.repeat(32)}`, secret: 'another-secret-of-32-characters-or-more' }

  function withoutGrant(): string {
    return new AccessToken(ACCOUNT, SIGNER.sid, SIGNER.secret, { identity: 'alice' }).toJwt()
  }

  function unsigned(alg: string): string {
    const [, payload] = accessToken().split('.')
    const header = Buffer.from(JSON.stringify({ alg, typ: 'JWT', cty: 'twilio-fpa;v=1' })).toString(
      'base64url',
    )
    return `${header}.${payload}.`
  }

  function relabelled(header: object): string {
    const [, payload, signature] = accessToken().split('.')
    return [Buffer.from(JSON.stringify(header)).toString('base64url'), payload, signature].join('.')
  }

  const grantsOf = (identity: unknown, service_sid: unknown) => ({ identity, data_sync: { service_sid } })
  const browserGrants = [{ allow: ['publish', 'listen', 'manage'] }]

  const tokens: [what: string, make: () => string | Promise<string>][] = [
    ['a wrong secret', () => accessToken({ secret: `${SIGNER.secret}x` })],
    ['the secret of another key', () => accessToken({ secret: strong.secret })],
    ['an unknown key', () => accessToken({ key: `SK${'4'.repeat(32)}` })],
    ['an account in the place of a key', () => accessToken({ key: ACCOUNT, secret: ACCOUNT_KEY.secret })],
    ['a key whose secret is short', () => accessToken({ key: short.sid, secret: short.secret })],
    ['another account', () => accessToken({ account: OTHER_ACCOUNT })],
    ['an unknown service', () => accessToken({ service: `IS${'3'.repeat(32)}` })],
    ['no grant', withoutGrant],
    ['an empty identity', () => forgedAccessToken({}, { grants: grantsOf('', SERVICE) })],
    ['no identity', () => forgedAccessToken({}, { grants: { data_sync: { service_sid: SERVICE } } })],
    ['an identity that is no text', () => forgedAccessToken({}, { grants: grantsOf(['alice'], SERVICE) })],
    ['an identity that is too long', () => accessToken({ identity: 'x'.repeat(257) })],
    ['no service', () => forgedAccessToken({}, { grants: grantsOf('alice', undefined) })],
    ['a list of services', () => forgedAccessToken({}, { grants: grantsOf('alice', [SERVICE]) })],
    ['no grants', () => forgedAccessToken({}, { grants: undefined })],
    ['grants that are null', () => forgedAccessToken({}, { grants: null })],
    [
      'the grants of a browser token',
      () => forgedAccessToken({ kid: SIGNER.sid }, { grants: browserGrants }),
    ],
    ['no end', () => forgedAccessToken({}, { exp: undefined })],
    ['no issuer', () => forgedAccessToken({}, { iss: undefined })],
    ['an issuer that is no text', () => forgedAccessToken({}, { iss: [SIGNER.sid] })],
    ['an issuer with another name', () => forgedAccessToken({}, { iss: '__proto__' })],
    ['its key in kid only', () => forgedAccessToken({ kid: SIGNER.sid }, { iss: undefined })],
    ['another issuer than kid', () => forgedAccessToken({ kid: SIGNER.sid }, { iss: strong.sid })],
    ['the algorithm none', () => unsigned('none')],
    ['the algorithm None', () => unsigned('None')],
    ['a header that says RS256', () => relabelled({ alg: 'RS256', typ: 'JWT', cty: 'twilio-fpa;v=1' })],
    ['RS256', () => forgedAccessToken({ alg: 'RS256' }, {}, rsa as never)],
    ['HS384', () => accessToken({ algorithm: 'HS384' })],
    ['HS512', () => accessToken({ algorithm: 'HS512' })],
    ['another content type', () => forgedAccessToken({ cty: 'twilio-fpa;v=2' })],
    ['no content type', () => forgedAccessToken({ cty: undefined })],
    ['no content type, and a kid', () => forgedAccessToken({ cty: undefined, kid: SIGNER.sid })],
    ['an extension that nobody knows', () => forgedAccessToken({ crit: ['x'], x: 1 })],
    ['a space in its signature', () => accessToken().replace(/(.{5})$/, ' $1')],
    ['an equals sign at its end', () => `${accessToken()}=`],
    ['a fourth part', () => `${accessToken()}.x`],
    ['an empty signature', () => accessToken().replace(/[^.]+$/, '')],
  ]

  test.each(tokens)('is refused: with %s', async (_what, make) => {
    const keys = [...KEYS, short, strong]
    const token = await make()
    expect(await verify(token, keys)).toEqual({ ok: false, reason: 'invalid' })
    const { url } = await served({ keys })
    await new ApiClient(url).create({ UniqueName: 'a' })
    const query = `?token=${encodeURIComponent(token)}`
    const answers = [
      await new ApiClient(url, bearer(token)).publish('a', {}),
      await new ApiClient(url, {}).send('POST', `${new ApiClient(url).messagesOf('a')}${query}`, {
        Data: '{}',
      }),
    ]
    for (const answer of answers) expect(answer).toMatchObject({ status: 401, body: { code: 20003 } })
  })

  test('may have kid and further grants, which count for nothing', async () => {
    const token = new AccessToken(ACCOUNT, SIGNER.sid, SIGNER.secret, { identity: 'alice' })
    token.addGrant(new AccessToken.SyncGrant({ serviceSid: SERVICE }))
    token.addGrant(new AccessToken.ChatGrant({ serviceSid: OTHER_SERVICE }))
    for (const given of [token.toJwt(), await forgedAccessToken({ kid: strong.sid })]) {
      const verified = await verify(given, [SIGNER, strong])
      expect(verified).toMatchObject({ ok: true, caller: { keySid: SIGNER.sid, serviceSid: SERVICE } })
    }
  })
})
