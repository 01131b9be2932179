import assert from 'node:assert'

/** Fails unless two frames are equal, and names the first difference: a dump of both is longer than a screen. */
export function isSameBytes(what: string, found: Uint8Array | undefined, expected: Uint8Array): void {
  if (found === undefined) assert.fail(`${what}: no frame came`)
  const shorter = Math.min(found.length, expected.length)
  let offset = 0
  while (offset < shorter && found[offset] === expected[offset]) offset += 1
  if (offset === found.length && offset === expected.length) return
  const lengths = `${found.length} bytes came, ${expected.length} were expected`
  const difference = `${byteAt(found, offset)} instead of ${byteAt(expected, offset)}`
  assert.fail(`${what}: at offset ${offset} there is ${difference}; ${lengths}`)
}

function byteAt(bytes: Uint8Array, offset: number): string {
  const byte = bytes[offset]
  return byte === undefined ? 'the end' : `0x${byte.toString(16).padStart(2, '0')}`
}
