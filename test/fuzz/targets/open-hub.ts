import assert from 'node:assert/strict'
import { loadTransport } from 'rivulet/transport'
import { assertTold, urlCaseIn } from '../url-cases.ts'

/** `openHub` takes its URLs apart with this: it gives a transport, or says in a sentence what is wrong. */
export async function fuzz(bytes: Buffer): Promise<void> {
  const { urls, secret } = urlCaseIn(bytes)
  try {
    const transport = await loadTransport(urls)
    assert.equal(typeof transport.open, 'function')
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error
    assertTold(error, urls[0]?.startsWith('memory:') ? undefined : secret)
    assert.equal((error as { code?: unknown }).code, 'INVALID_OPTIONS')
  }
}
