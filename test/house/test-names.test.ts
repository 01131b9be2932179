import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { parse, ROOT, readSourceFiles, type SourceFile, visit } from '../support/source-files.ts'

const PACKAGES = readdirSync(join(ROOT, 'packages'))
const FOLDERS = ['test', ...PACKAGES.map((name) => `packages/${name}/test`)]

const LONGEST_TITLE = 80
/** House words for which the field has others: pending connection, is evicted, reports, no subscriber. */
const HOUSE_WORDS = /\b(?:strangers?|gives? way|tells? of|hears? of|somebody|nobody)\b/i

/** Lists the titles of a file that are too long or have a house word. */
function findRefusedTitles({ path, tree }: SourceFile): string[] {
  const found: string[] = []
  visit(tree, (node) => {
    const title = readTitle(node, tree)
    if (title === undefined || (title.length <= LONGEST_TITLE && !HOUSE_WORDS.test(title))) return
    const { line } = tree.getLineAndCharacterOfPosition(node.getStart(tree))
    found.push(`${path}:${line + 1}: ${title}`)
  })
  return found
}

/** Returns the title that a node gives to a test or a group of tests, as it is written between its quotes. */
function readTitle(node: ts.Node, tree: ts.SourceFile): string | undefined {
  if (!ts.isCallExpression(node) || !isTestFunction(node.expression)) return undefined
  const [title] = node.arguments
  if (title === undefined || !(ts.isStringLiteralLike(title) || ts.isTemplateExpression(title)))
    return undefined
  return title.getText(tree).slice(1, -1)
}

/** Returns whether an expression is `test`, `it` or `describe`, or made from one, as `test.each(rows)` is. */
function isTestFunction(expression: ts.Expression): boolean {
  if (ts.isIdentifier(expression)) return ['test', 'it', 'describe'].includes(expression.text)
  if (ts.isTaggedTemplateExpression(expression)) return isTestFunction(expression.tag)
  if (!ts.isCallExpression(expression) && !ts.isPropertyAccessExpression(expression)) return false
  return isTestFunction(expression.expression)
}

test.each(FOLDERS)('%s has short titles in the words of the field', (folder) => {
  expect(readSourceFiles(folder).flatMap(findRefusedTitles)).toEqual([])
})

const LONG = 'a'.repeat(LONGEST_TITLE + 1)

test.each([
  [`test('${LONG}', run)`, 1],
  [`it("${LONG}", run)`, 1],
  [`describe(\`${LONG}\`, () => { test('${LONG}', run) })`, 2],
  [`test.each(rows)('${LONG}', run)`, 1],
  [`test.each\`rows\`('${LONG}', run)`, 1],
  [`test.concurrent.for(rows)(\`\${${LONG}}\`, run)`, 1],
  [`test('${LONG.slice(1)}', run)`, 0],
  [`test(title, '${LONG}')`, 0],
  [`expect('${LONG}').toBe(1)`, 0],
  ["test('a stranger hears of it', run)", 1],
  ["test('the oldest gives way', run)", 1],
  ["test('it tells of a loss', run)", 1],
  ["test('somebody waits', run)", 1],
  ["test('Nobody waits', run)", 1],
  ["test('no subscriber waits') // nobody", 0],
])('the check of titles finds in %s as many as it has: %i', (text, count) => {
  expect(findRefusedTitles(parse('made-up.test.ts', text))).toHaveLength(count)
})
