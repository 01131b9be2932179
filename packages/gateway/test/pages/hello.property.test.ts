import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkFrame } from '../../src/pages/frame-check.ts'
import { readHello } from '../../src/pages/hello.ts'

test('the readers of a hello and of a frame throw at no bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      expect(['string', 'object']).toContain(typeof readHello(bytes))
      expect(['string', 'object']).toContain(typeof checkFrame(bytes, 4_096))
    }),
    { numRuns: 2_000 },
  )
})

test('the reader of a hello throws at no JSON', () => {
  const hello = fc.record(
    { version: fc.constantFrom(1, 2, '1'), hub: fc.anything(), token: fc.anything(), secret: fc.anything() },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(
      fc.oneof(
        hello,
        fc.json().map((json) => JSON.parse(json)),
      ),
      (value) => {
        const json = safeJson(value)
        const read = readHello(new TextEncoder().encode(json))
        expect(['string', 'object']).toContain(typeof read)
      },
    ),
    { numRuns: 1_000 },
  )
})

/** JSON of anything; what has none is left out. */
function safeJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? ''
  } catch {
    return ''
  }
}
