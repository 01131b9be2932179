const PIECES = [
  '+',
  '#',
  '*',
  '>',
  '/',
  '.',
  '//',
  '..',
  '$SYS',
  '$JS',
  '$share',
  '_INBOX',
  '%',
  '%2F',
  '%00',
  '%252F',
  '\\',
  ' ',
  '\t',
  '\r\n',
  '\r\nPUB evil 2\r\nhi\r\n',
  '\0',
  '\u0001',
  '\u001f',
  '\u007f',
  '\u0085',
  '\u2028',
  '\ufeff',
  '\ufffe',
  '\uffff',
  '\ufffd',
  '\u202e',
  '\u200d',
  '🌊',
  '👩‍🚀',
  '水',
  'é',
  'e\u0301',
  'ß',
  'SS',
  'İ',
  'i',
  'I',
  'ﬁ',
  'fi',
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'resubscribe',
  'rivulet',
  'default',
  'null',
  '-',
  '_',
  '~',
  'a',
  'A',
  'b',
  '"',
  "'",
  '(',
  ')',
  '!',
  '{"data":{}}',
  '?',
  '&',
  '=',
  ':',
  '@',
  ',',
  ';',
]

const MAX_UNITS = 320

/** Makes names that a broker or a client could take for something else; all are allowed, and all differ. */
export function hostileNames(count: number, seed: number): string[] {
  const names = new Set([...PIECES, ...lookAlikes(), ...longest()])
  const random = randomFrom(seed)
  const pick = () => PIECES[Math.floor(random() * PIECES.length)] as string
  while (names.size < count) {
    const name = Array.from({ length: 1 + Math.floor(random() * 5) }, pick).join('')
    if (name.length <= MAX_UNITS) names.add(name)
  }
  return [...names].slice(0, count)
}

/** Pairs that differ only in case, in normalization, or in how they are encoded. */
function lookAlikes(): string[] {
  const words = ['Café', 'Ångström', 'naïve/Été', 'rivulet/default/x', '한글', 'ﬃ', 'Ǆ']
  const forms = words.flatMap((word) =>
    (['NFC', 'NFD', 'NFKC', 'NFKD'] as const).map((form) => word.normalize(form)),
  )
  const cases = forms.flatMap((word) => [word, word.toLowerCase(), word.toUpperCase()])
  return cases.flatMap((word) => [
    word,
    encodeURIComponent(word),
    encodeURIComponent(encodeURIComponent(word)),
  ])
}

/** As long as a name may be, in units of three bytes each, differing in the first, the last or the case of a letter. */
function longest(): string[] {
  const fill = (first: string, last: string) => first + '水'.repeat(MAX_UNITS - 2) + last
  const emoji = '🌊'.repeat(MAX_UNITS / 2)
  return [fill('水', '水'), fill('火', '水'), fill('水', '火'), fill('a', '水'), fill('A', '水'), emoji]
}

/** A small random generator (mulberry32), so that a failure can be seen again. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
