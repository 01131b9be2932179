/** Names of streams that differ by little, or mean something to a broker, a client or JavaScript. */
export const hostileNames: readonly string[] = [
  'a',
  'A',
  'aa',
  'a/a',
  'a.a',
  'a%2Fa',
  'a%2fa',
  'a%252Fa',
  'a ',
  ' a',
  'a\n',
  'a\u0000',
  'a\u0001',
  'a-',
  'a_',
  '+',
  '#',
  '*',
  '>',
  'a/+',
  'a/#',
  'a.*',
  'a.>',
  '/',
  '.',
  '..',
  '//',
  '%',
  '%41',
  '$SYS',
  '$share/g/a',
  '_INBOX.a',
  '__proto__',
  'constructor',
  'hasOwnProperty',
  'resubscribe',
  '\u00e9',
  'e\u0301',
  '\u00c9',
  '\u212b',
  '\u00c5',
  '\ufeffa',
  '\uffff',
  '\u{1f69a}',
  'a\r\nPUB b 1\r\nx',
  'a'.repeat(320),
  `${'a'.repeat(319)}b`,
]

/** Frames that a transport might take for text, for nothing, or for its own protocol. */
export const hostileFrames: readonly (Uint8Array | string)[] = [
  '',
  new Uint8Array(0),
  '{"data":{},"sid":"TZ"}',
  '\u00fc\u{1f69a}\u0000\ufeff',
  '\ufeff{}',
  'a\r\nPUB b 1\r\nx\r\n',
  '+OK\r\n',
  '-ERR\r\n',
  new Uint8Array([0xef, 0xbb, 0xbf, 0x7b, 0x7d]),
  new Uint8Array([0xff]),
  new Uint8Array([0xc3, 0x28]),
  new Uint8Array([0xed, 0xa0, 0x80]),
  new Uint8Array([0xf0, 0x9f]),
  new Uint8Array([0, 0, 0, 0]),
  Uint8Array.from({ length: 256 }, (_, index) => index),
  ...[1, 2, 125, 127, 128, 1023, 4096, 5000].map(noise),
]

// A linear congruential generator (Numerical Recipes, ranqd1): the same bytes in every run.
function noise(length: number): Uint8Array {
  let state = length
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state >>> 24
  })
}
