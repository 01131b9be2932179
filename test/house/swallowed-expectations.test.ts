import ts from 'typescript'
import { expect, test } from 'vitest'
import { packageFolders, parse, readSourceFiles, type SourceFile, visit } from '../support/source-files.ts'

/** What the library calls and whose throws it catches, by the method that takes it. */
const LISTENED = /\.(subscribe|on|once)$/
const EXPECTS = /^(expect|assert)(\.fail|\.unreachable)?$/

const tests = ['test', ...packageFolders().map((folder) => `${folder}/test`)].flatMap(readSourceFiles)

test('no test expects inside a subscriber or listener, where the library catches it', () => {
  expect(tests.flatMap(swallowed)).toEqual([])
})

test('no test waits by Vitest, which gives up after a second, but by waitFor', () => {
  const own = 'test/support/wait-for.ts'
  const waiting = tests.filter(({ tree }) => /\bvi\.wait(For|Until)\(/.test(tree.text))
  expect(waiting.map(({ path }) => path)).toEqual([own])
})

test('no test has `toThrow` check a rejection: it takes `undefined` for any error', async () => {
  await expect(Promise.reject(undefined)).rejects.toThrow('a reason') // not-an-expectation
  const isWeak = /\brejects\s*\.toThrow\((?!.*not-an-expectation)/
  expect(tests.filter(({ tree }) => isWeak.test(tree.text)).map(({ path }) => path)).toEqual([])
})

test('an expectation is found in a subscriber, observer and listener, and not beside', () => {
  const text = `
    stream.subscribe(() => expect.fail('called'))
    stream.messages$.subscribe({ next: () => { if (late) expect(1).toBe(2) } })
    hub.on('error', function (error) { expect(error).toBe(undefined) })
    expect(stream.subscribe(listener).closed).toBe(false)
    stream.subscribe((message) => heard.push(message))
  `
  expect(swallowed(parse('made-up.test.ts', text)).map((place) => place.split(':')[1])).toEqual([
    '2',
    '3',
    '4',
  ])
})

/** Where a file expects something inside a function that it gives to the library. */
function swallowed(file: SourceFile): string[] {
  const found = new Set<string>()
  visit(file.tree, (node) => {
    if (!ts.isCallExpression(node) || !LISTENED.test(node.expression.getText())) return
    for (const argument of node.arguments) {
      visit(argument, (inner) => {
        if (!ts.isCallExpression(inner) || !EXPECTS.test(inner.expression.getText())) return
        const { line } = file.tree.getLineAndCharacterOfPosition(inner.getStart())
        found.add(`${file.path}:${line + 1}`)
      })
    }
  })
  return [...found]
}
