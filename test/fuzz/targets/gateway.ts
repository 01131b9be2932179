import assert from 'node:assert/strict'
import { ApiError } from '../../../packages/gateway/src/base/problem.ts'
import { decodeSegment } from '../../../packages/gateway/src/base/segment.ts'
import { rawPathOf } from '../../../packages/gateway/src/http/path.ts'
import { checkForm, Form } from '../../../packages/twilio/src/rest/form.ts'
import { parseStrictJson } from '../../../packages/twilio/src/streams/strict-json.ts'

const FIELDS = ['Data', 'Ttl', 'UniqueName', 'a']
const BASE_PATHS = ['', '/streams', '/a/b']

/** What the gateway reads of a request: a form, a path, a segment of one, JSON. Each against the platform's own reader. */
export function fuzz(bytes: Buffer): void {
  const text = bytes.toString()
  for (const name of FIELDS) checkField(text, name)
  checkPath(text)
  checkSegment(text)
  checkJson(text)
  refused(() => checkForm(text, text.slice(0, 40)))
}

/** The first field of a name, as `URLSearchParams` reads it; a name or a value that is no UTF-8 is refused. */
function checkField(text: string, name: string): void {
  const form = new Form(text)
  const value = refused(() => form.get(name) ?? 'absent')
  const isMalformed = text.split(/[&=]/).some((part) => decodeSegment(part) === undefined)
  if (value === undefined) return assert.ok(isMalformed, 'a field is refused')
  // It would leave out a question mark in front.
  const found = new URLSearchParams(`&${text}`).get(name) ?? 'absent'
  if (!isMalformed) assert.equal(value, found)
}

/** The path of a URL is what `URL` finds, of which a base path is taken off. */
function checkPath(text: string): void {
  const url = `http://host:80/${text}`
  if (!URL.canParse(url)) return
  const { href, pathname } = new URL(url)
  for (const base of BASE_PATHS) {
    const expected = pathname.startsWith(`${base}/`) ? pathname.slice(base.length) : ''
    assert.equal(rawPathOf(href, base), expected)
  }
}

/** A segment is decoded as a whole, or not at all; what is encoded again is the same name. */
function checkSegment(text: string): void {
  const name = decodeSegment(text)
  const percents = text.match(/%/g)?.length ?? 0
  const encoded = text.match(/(?:%[0-9a-f]{2})+/gi) ?? []
  const isWhole = encoded.join('').length === percents * 3 && encoded.every(isUtf8)
  assert.equal(name !== undefined, isWhole, 'a segment is refused, or taken')
  if (name === undefined) return
  assert.equal(decodeSegment(encodeURIComponent(name)), name)
}

function isUtf8(encoded: string): boolean {
  const bytes = Buffer.from(encoded.replaceAll('%', ''), 'hex')
  return Buffer.from(bytes.toString()).equals(bytes)
}

/** JSON that JSON.parse reads, without infinities. */
function checkJson(text: string): void {
  let plain: unknown
  try {
    plain = JSON.parse(text, (_, value) => {
      assert.ok(value !== Infinity && value !== -Infinity)
      return value
    })
  } catch {
    assert.throws(() => parseStrictJson(text), SyntaxError)
    return
  }
  assert.deepEqual(parseStrictJson(text), plain)
}

/** Runs what may refuse a request; nothing else is thrown. */
function refused<Value>(read: () => Value): Value | undefined {
  try {
    return read()
  } catch (error) {
    assert.ok(error instanceof ApiError, `it threw ${error}`)
    return undefined
  }
}
