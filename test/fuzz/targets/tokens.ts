import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { callerOfToken } from '../../../packages/gateway/src/access/authentication.ts'
import { FailedLogins } from '../../../packages/gateway/src/access/failed-logins.ts'
import { matches } from '../../../packages/gateway/src/access/grant.ts'
import { KeyRing } from '../../../packages/gateway/src/access/key-ring.ts'

const SID = `SK${'5'.repeat(32)}`
const ACCOUNT = `AC${'1'.repeat(32)}`
const SERVICE = `IS${'2'.repeat(32)}`
const SECRET = 'a-secret-of-at-least-32-characters'
const NOW_S = 1_700_000_000
// An access token's clock may be a minute off, either way.
const MOST_LEEWAY_S = 60
// The longest pattern that a grant takes, and the longest name of a stream.
const MAX_LENGTH = 320
const SILENT = { debug() {}, info() {}, warn() {}, error() {} }
const ACCESS = {
  isOpen: false,
  corsOrigins: [],
  publicUrl: undefined,
  failedLogins: new FailedLogins(SILENT),
  keys: new KeyRing([{ sid: SID, secret: SECRET }], ACCOUNT),
  services: new Map([[SERVICE, {}]]),
  maxTokenLifeSeconds: 3600,
  log: SILENT,
}

/**
 * The first line is a token; or, with a brace in front, its header, and the second its payload, which are signed here.
 * Nothing is thrown; who is let in has a right signature by the right algorithm, and an end within the hour. The last two
 * lines are a pattern of streams and a name.
 */
export async function fuzz(bytes: Buffer): Promise<void> {
  const [first = '', second = '', pattern = '', name = ''] = bytes.toString().split('\n')
  const token = first.startsWith('{') ? signed(first, second) : first
  const result = await callerOfToken(token, ACCESS, NOW_S * 1000)
  if (result.ok) {
    checkAccepted(token)
    for (const action of ['publish', 'listen', 'manage'] as const) result.caller.may(action, SERVICE, name)
  } else assert.match(result.reason, /^(?:invalid|expired|tooLong)$/)
  checkPattern(pattern, name)
}

function checkAccepted(token: string): void {
  const [head = '', payload = '', signature = '', ...others] = token.split('.')
  assert.equal(others.length, 0)
  assert.deepEqual(Buffer.from(signature, 'base64url'), hmacOf(`${head}.${payload}`))
  const { alg } = JSON.parse(Buffer.from(head, 'base64url').toString())
  assert.equal(alg, 'HS256')
  const { exp, nbf = 0 } = JSON.parse(Buffer.from(payload, 'base64url').toString())
  assert.ok(exp > NOW_S - MOST_LEEWAY_S && exp <= NOW_S + 3600 + MOST_LEEWAY_S, `it ends at ${exp}`)
  assert.ok(nbf <= NOW_S + MOST_LEEWAY_S, `it begins at ${nbf}`)
}

/** A star is any text, and everything else itself. */
function checkPattern(pattern: string, name: string): void {
  if (pattern.length > MAX_LENGTH || name.length > MAX_LENGTH) return
  assert.equal(matches(pattern, name), isMatch(pattern, name))
}

/** Compares by a set of places in the text: those that the pattern has come to so far. A regular expression may take ages. */
function isMatch(pattern: string, text: string): boolean {
  let places = new Set([0])
  for (const unit of pattern.split('')) {
    if (unit === '*') {
      const first = Math.min(...places)
      places = new Set(Array.from({ length: text.length - first + 1 }, (_, index) => first + index))
    } else places = new Set([...places].filter((place) => text[place] === unit).map((place) => place + 1))
    if (places.size === 0) return false
  }
  return places.has(text.length)
}

function signed(header: string, payload: string): string {
  const text = [header, payload].map((part) => Buffer.from(part).toString('base64url')).join('.')
  return `${text}.${hmacOf(text).toString('base64url')}`
}

function hmacOf(text: string): Buffer {
  return createHmac('sha256', SECRET).update(text).digest()
}
