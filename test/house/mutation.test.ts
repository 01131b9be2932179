import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { placeOf } from '../mutation/confirm.ts'
import { type Equivalent, isListed, outdated, readEquivalents } from '../mutation/equivalent.ts'
import type { Mutant } from '../mutation/mutants.ts'
import { ROOT } from '../support/source-files.ts'

const equivalents = readEquivalents(join(ROOT, 'test/mutation/equivalent.json'))
const entries = Object.entries(equivalents).flatMap(([file, listed]) =>
  listed.map((entry) => [file, entry] as const),
)

test.each(entries)(
  'a change of %s that no test finds is still one of its text, and says why',
  (file, entry) => {
    const text = readFileSync(join(ROOT, file), 'utf8')
    expect(text.split('\n').map((line) => line.trim())).toContain(entry.line)
    expect(text).toContain(entry.original)
    expect(entry.original).not.toBe(entry.replacement)
    expect(entry.why).toMatch(/^[A-Z].{20,}\.$/)
  },
)

test('a change is known by its text in any place, and reported when it is found now', () => {
  const entry: Equivalent = {
    mutator: 'EqualityOperator',
    line: 'if (a > b) return',
    original: 'a > b',
    replacement: 'a >= b',
    why: 'It makes no difference.',
  }
  const mutant: Mutant = {
    ...entry,
    file: 'f.ts',
    from: 9,
    lineNumber: 3,
    isKilled: false,
    status: 'Survived',
  }
  const listed = { 'f.ts': [entry] }
  expect(isListed(listed, { ...mutant, from: 99, lineNumber: 30 })).toBe(true)
  for (const other of [{ file: 'g.ts' }, { line: 'else if (a > b) return' }, { replacement: 'a <= b' }]) {
    expect(isListed(listed, { ...mutant, ...other })).toBe(false)
  }
  const files = new Set(['f.ts'])
  expect(outdated(listed, files, [mutant])).toEqual([])
  expect(outdated(listed, files, [])).toEqual(['f.ts: if (a > b) return: a > b -> a >= b'])
  expect(outdated(listed, new Set(), [])).toEqual([])
})

test.each([
  ['where it stood', 'x\n  if (a > b) return', 8],
  ['in its line, when lines before it have changed', 'x\ny\n  if (a > b) return\nreturn a > b', 10],
  ['nowhere, when its line has changed', 'x\n  if (a > b) break\n', undefined],
  ['nowhere, when two lines could be meant', 'if (a > b) return\nif (a > b) return', undefined],
])('a change of a text that was edited stands %s', (_, text, place) => {
  const change = { line: 'if (a > b) return', original: 'a > b', from: 8 }
  expect(placeOf(change, text)).toBe(place)
})
