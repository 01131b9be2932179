import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT, readSourceFiles } from '../support/source-files.ts'

const PACKAGES = readdirSync(join(ROOT, 'packages'))
const FOLDERS = ['src', ...PACKAGES.map((name) => `packages/${name}/src`)]

/** A doc comment that begins with a relative clause instead of its subject. */
const CLAUSE_AS_SUBJECT = /\/\*\*[\s*]*(?:What|Who|Whoever|Where|Told)\b/g
/** House words for which the field has others: reports, is evicted, no listener. */
const HOUSE_WORDS = /\btells of\b|\bgives way\b|\bsomebody\b|\bnobody\b/gi

function findRefusedWords(text: string): string[] {
  return [...text.matchAll(CLAUSE_AS_SUBJECT), ...text.matchAll(HOUSE_WORDS)].map(([found]) => found)
}

test.each(FOLDERS)('%s uses the words of the field in comments and messages', (folder) => {
  const found = readSourceFiles(folder).flatMap(({ path }) =>
    findRefusedWords(readFileSync(join(ROOT, path), 'utf8')).map((words) => `${path}: ${words}`),
  )
  expect(found).toEqual([])
})

test.each([
  ['/** What a hub does. */', 1],
  ['/**\n   * Whoever subscribes. */', 1],
  ['/** Told of each join. */', 1],
  ['// a listener that nobody removed', 1],
  ["throw new Error('Somebody else has it.')", 1],
  ['/** Tells of a loss, which gives way. */', 2],
  ['/** The data. What it contains is checked. */', 0],
  ['/** Whole seconds. */', 0],
])('the check of words finds in %j as many as it has: %i', (text, count) => {
  expect(findRefusedWords(text)).toHaveLength(count)
})
