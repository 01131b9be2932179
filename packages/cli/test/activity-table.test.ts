import stringWidth from 'string-width'
import { expect, test } from 'vitest'
import type { StreamActivity } from '../src/tap/activity.ts'
import { activityLines } from '../src/tap/activity-table.ts'
import { cutToWidth } from '../src/tap/cut-to-width.ts'

const QUIET = { messagesPerSecond: 0, bytesPerSecond: 0, publishers: 1, messages: 5 }
const activityOf = (stream: string): StreamActivity => ({
  stream,
  ...QUIET,
  missed: 0,
  reordered: 0,
  dropped: 0,
})

test.each([
  ['short', 5, 'short'],
  ['longer', 5, 'long…'],
  ['漢字漢字', 8, '漢字漢字'],
  ['漢字漢字', 7, '漢字漢…'],
  ['漢字漢字', 6, '漢字…'],
  ['\u{1F30A}\u{1F30A}\u{1F30A}', 4, '\u{1F30A}…'],
  ['e\u0301e\u0301e\u0301', 2, 'e\u0301…'],
])('%s in %d columns is %s', (text, width, cut) => {
  expect(cutToWidth(text, width)).toBe(cut)
})

test('a table fits its width, whatever the names and however narrow it is', () => {
  const names = ['plain', '漢'.repeat(40), '\u{1F30A}'.repeat(40), 'e\u0301'.repeat(60), '漢\u202E字']
  for (const width of [100, 79, 78, 40, 9, 1]) {
    const lines = activityLines(names.map(activityOf), width, 100)
    expect(Math.max(...lines.map((line) => stringWidth(line)))).toBeLessThanOrEqual(width)
    expect(lines.join('')).not.toMatch(/[\uD800-\uDBFF](?![\uDC00-\uDFFF])/)
  }
})

test('columns are aligned, and a sign marks where they are cut', () => {
  const [head = '', wide = '', plain = ''] = activityLines(['漢字', 'plain'].map(activityOf), 80, 100)
  expect([head, wide, plain].map((line) => stringWidth(line))).toEqual([80, 80, 80])
  const [narrow = ''] = activityLines([activityOf('plain')], 30, 100)
  expect(narrow).toMatch(/^stream .*…$/)
  expect(stringWidth(narrow)).toBe(30)
})
