import assert from 'node:assert/strict'
import { openHub } from 'rivulet'
import { assertTold, urlCaseIn } from '../url-cases.ts'

/**
 * `openHub` takes its URLs apart, and says in a sentence what is wrong. Its clock always is: that is looked at after the
 * transport and the hub's name, so no hub is made, and nothing connects.
 */
export async function fuzz(bytes: Buffer): Promise<void> {
  const { urls, secret } = urlCaseIn(bytes)
  const error = await openHub({ transport: urls, nowMs: 'none' as never }).catch((cause: unknown) => cause)
  assertTold(error, urls[0]?.startsWith('memory:') ? undefined : secret)
  const { code } = error as { readonly code?: unknown }
  assert.ok(code === 'INVALID_OPTIONS' || code === 'INVALID_NAME', `its code is ${code}`)
}
