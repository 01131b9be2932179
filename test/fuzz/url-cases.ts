import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { RivuletError } from '../../src/errors/errors.ts'

/** Letters only, since what looks like the name of a parameter may be repeated. */
const SECRET = 'Geheimwort'
/** The engine's own words: a program cannot tell what to do by them. */
const ENGINE = /Cannot |is not a function|is not iterable|undefined|URI malformed|Invalid URL|\[object /

/** URLs, and the password in them, if there is one. */
export interface UrlCase {
  readonly urls: readonly string[]
  readonly secret: string | undefined
}

/**
 * Reads lines as URLs. After a first byte `*` the second line is a password, which is put behind the first colon that
 * follows the two slashes, with the secret in its middle: `nats://user:` and `x/y` become `nats://user:xGeheimwort/y@`.
 */
export function urlCaseIn(bytes: Buffer): UrlCase {
  const text = bytes.toString()
  if (!text.startsWith('*')) return { urls: text.split('\n'), secret: undefined }
  const [address = '', before = '', after = '', ...others] = text.slice(1).split('\n')
  const [, start, rest] = /^([a-z+]+:\/\/)(.*)$/s.exec(address) ?? []
  if (start === undefined) return { urls: [address, ...others], secret: undefined }
  return { urls: [`${start}user:${before}${SECRET}${after}@${rest}`, ...others], secret: SECRET }
}

// Only looked at by the transport for web sockets: nothing connects.
const web: { WebSocket?: unknown } = globalThis
web.WebSocket ??= class {}

/** What was thrown is one of the library's errors with a sentence for people, and keeps the secret to itself. */
export function assertTold(error: unknown, secret: string | undefined): void {
  // Its stack is only looked at when it is a finding: that takes ten times as long as the rest.
  if (!isOurs(error)) assert.fail(`it threw ${inspect(error)}`)
  assert.match(error.message, /^\S.{15,}[.?):/]$/s, `it is no sentence: ${error.message}`)
  // A URL that is repeated may have these words in it.
  const words = error.message.replaceAll(/"[\s\S]*"/g, '""')
  assert.doesNotMatch(words, ENGINE, `these are the engine's words: ${error.message}`)
  if (secret !== undefined)
    assert.ok(!wordsOf(error).includes(secret), `it tells the password: ${error.message}`)
}

function isOurs(error: unknown): error is Error {
  if (!(error instanceof Error)) return false
  return RivuletError.is(error) || error.name === 'TypeError' || error.name === 'RangeError'
}

/** All that an error says by itself and its causes. The stack would take long, and says no more. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const fields = Object.values(error).map((value) =>
    value instanceof Error ? wordsOf(value) : JSON.stringify(value),
  )
  return [error.message, ...fields, error.cause === undefined ? '' : wordsOf(error.cause)].join('\n')
}
