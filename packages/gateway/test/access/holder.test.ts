import { SignJWT } from 'jose'
import { expect, test } from 'vitest'
import { type Access, callerOf } from '../../src/access/authentication.ts'
import { FailedLogins } from '../../src/access/failed-logins.ts'
import { KeyRing } from '../../src/access/key-ring.ts'
import { SILENT_LOG } from '../../src/base/gateway-log.ts'
import { accessToken, SIGNER } from '../support/access-token.ts'
import { BASIC } from '../support/api-client.ts'
import { ACCOUNT, ACCOUNT_KEY, SERVICE } from '../support/served-gateway.ts'

const ACCESS: Access = {
  isOpen: false,
  keys: new KeyRing([ACCOUNT_KEY, SIGNER]),
  failedLogins: new FailedLogins(SILENT_LOG),
  services: new Map([[SERVICE, {}]]),
  corsOrigins: [],
  publicUrl: undefined,
  maxTokenLifeSeconds: 3600,
  log: SILENT_LOG,
}
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

async function holderOf(authorization: string): Promise<string> {
  const header = (name: string) => (name === 'authorization' ? authorization : undefined)
  const head = { url: 'http://localhost/', clientAddress: undefined, header }
  return (await callerOf(head, ACCESS, Date.now())).holder
}

function browserToken(streams: string): Promise<string> {
  return new SignJWT({ grants: [{ streams, allow: ['listen'] }] })
    .setProtectedHeader({ alg: 'HS256', kid: SIGNER.sid })
    .setExpirationTime('10 minutes')
    .sign(new TextEncoder().encode(SIGNER.secret))
}

test('limits are counted for a key, an identity, or a browser token', async () => {
  expect(await holderOf(BASIC.authorization as string)).toBe(ACCOUNT)
  expect(await holderOf(`Bearer ${accessToken({ ttl: 60 })}`)).toBe(`${SIGNER.sid}/alice`)
  expect(await holderOf(`Bearer ${accessToken({ ttl: 70 })}`)).toBe(`${SIGNER.sid}/alice`)
  expect(await holderOf(`Bearer ${accessToken({ identity: 'bob' })}`)).toBe(`${SIGNER.sid}/bob`)
  const [one, other] = await Promise.all([browserToken('a'), browserToken('b')])
  const holders = [await holderOf(`Bearer ${one}`), await holderOf(`Bearer ${other}`)]
  expect(new Set(holders).size).toBe(2)
  for (const holder of holders) expect(holder).toMatch(new RegExp(`^${SIGNER.sid}/[\\w-]{42}$`))
})

test('a browser token whose signature is written in another way has the same holder', async () => {
  const token = await browserToken('a')
  // 32 bytes are 42 characters and four bits, so the last two bits of the 43rd count for nothing.
  const last = DIGITS.indexOf(token.at(-1) as string)
  const forms = [0, 1, 2, 3].map((bits) => `${token.slice(0, -1)}${DIGITS[(last & ~3) | bits]}`)
  const holders = await Promise.all(forms.map((form) => holderOf(`Bearer ${form}`).catch(() => 'refused')))
  const expected = await holderOf(`Bearer ${token}`)
  for (const holder of holders) expect([expected, 'refused']).toContain(holder)
})
