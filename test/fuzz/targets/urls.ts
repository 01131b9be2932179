import assert from 'node:assert/strict'
import { transportFromUrls as memory } from '@rivulet/memory'
import { transportFromUrls as mqtt } from '@rivulet/mqtt'
import { transportFromUrls as nats } from '@rivulet/nats'
import { transportFromUrls as redis } from '@rivulet/redis'
import { transportFromUrls as threads } from '@rivulet/threads'
import { transportFromUrls as websocket } from '@rivulet/websocket'
import type { Transport } from 'rivulet'
import { assertTold, type UrlCase, urlCaseIn } from '../url-cases.ts'

const PARSERS: readonly ((urls: readonly string[]) => Transport)[] = [
  nats,
  mqtt,
  redis,
  websocket,
  threads,
  memory,
]

/** Their URLs may have a password. */
const WITH_PASSWORD = [nats, mqtt, redis]

/**
 * Each adapter makes a transport of its URLs, or says in a sentence what is wrong, without the password. No piece of the
 * password is taken for a host, a path or a parameter: it would be sent in clear, and stand in errors.
 */
export function fuzz(bytes: Buffer): void {
  const given = urlCaseIn(bytes)
  for (const transportFromUrls of PARSERS) check(transportFromUrls, given)
}

function check(transportFromUrls: (urls: readonly string[]) => Transport, { urls, secret }: UrlCase): void {
  let transport: Transport
  try {
    transport = transportFromUrls(urls)
  } catch (error) {
    // A bus in this process has no passwords, and repeats its URL.
    return assertTold(error, transportFromUrls === memory ? undefined : secret)
  }
  if (secret !== undefined && WITH_PASSWORD.includes(transportFromUrls)) {
    assert.ok(hasPassword(urls, secret), 'it takes the password for something else')
  }
  assert.match(transport.name, /^[a-z]+$/)
  assert.equal(typeof transport.open, 'function')
}

function hasPassword([first = '']: readonly string[], secret: string): boolean {
  return URL.canParse(first) && new URL(first).password.includes(secret)
}
