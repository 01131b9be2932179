import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import ts from 'typescript'
import { ROOT } from './source-files.ts'

/** A fenced block of a Markdown file. */
export interface Block {
  readonly language: string
  readonly text: string
  /** The line of its fence, from 1. */
  readonly line: number
}

/** A program that a document shows: a block, and those after it that continue it. */
export interface DocumentedProgram {
  /** `README.md:12`, the line of its first block. */
  readonly place: string
  readonly language: 'ts' | 'js'
  readonly text: string
}

/** A `console.log` whose output a document promises: `console.log(x) // -> text`. */
export interface Promised {
  /** Where `console.log` stands in the program. */
  readonly position: number
  /** What it prints, call by call; a further call has its own comment in the next line. */
  readonly lines: readonly string[]
}

/** Reads a Markdown file; an absent one is empty. */
export function readDocument(path: string): string {
  const file = join(ROOT, path)
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}

/** Finds the fenced blocks of a Markdown text. */
export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = []
  const fence = /^```(\w*)[^\n]*\n([\s\S]*?)^```$/gm
  for (const { index, 1: language = '', 2: text = '' } of markdown.matchAll(fence)) {
    blocks.push({ language, text, line: markdown.slice(0, index).split('\n').length })
  }
  return blocks
}

/** Puts programs together: a block that imports begins one, a block that doesn't continues the one before it. */
export function programsOf(path: string, markdown: string): DocumentedProgram[] {
  const programs: DocumentedProgram[] = []
  for (const { language, text, line } of blocksOf(markdown)) {
    if (language !== 'ts' && language !== 'js') continue
    const last = programs.at(-1)
    const isContinued = last !== undefined && last.language === language && !/^import /m.test(text)
    if (isContinued) programs[programs.length - 1] = { ...last, text: `${last.text}\n${text}` }
    else programs.push({ place: `${path}:${line}`, language, text })
  }
  return programs
}

/** Finds what a program promises to print. */
export function promisesOf(program: string): Promised[] {
  const tree = ts.createSourceFile('program.ts', program, ts.ScriptTarget.ES2022, true)
  const found: Promised[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && node.expression.getText() === 'console.log') {
      const lines = promisedAfter(program.slice(node.end))
      if (lines.length > 0) found.push({ position: node.getStart(), lines })
    }
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return found
}

function promisedAfter(rest: string): string[] {
  const [sameLine = '', ...further] = rest.split('\n')
  const first = /^[^\n/]*\/\/ -> (.*)$/.exec(sameLine)?.[1]
  if (first === undefined) return []
  const end = further.findIndex((line) => !/^\s*\/\/ -> /.test(line))
  const more = further.slice(0, end === -1 ? further.length : end)
  return [first, ...more.map((line) => line.replace(/^\s*\/\/ -> /, ''))]
}

/** Rewrites a program so that each promised `console.log` also reports what it printed, with its number. */
export function instrument(program: string, promises: readonly Promised[]): string {
  let text = program
  for (const [index, { position }] of [...promises.entries()].reverse()) {
    text = `${text.slice(0, position)}documented(${index})${text.slice(position + 'console.log'.length)}`
  }
  return text
}

/** Lists the scripts that a document tells the reader to run: `npm run demo`, `npm test`. */
export function scriptsNamedIn(markdown: string): string[] {
  const runs = [...markdown.matchAll(/\bnpm run ([\w:-]+)/g)].map(([, name = '']) => name)
  return /\bnpm test\b/.test(markdown) ? [...runs, 'test'] : runs
}

/** Lists what a document links to inside the repository, by paths from its root: `docs/errors.md`, `README.md#speed`. */
export function linksOf(path: string, markdown: string): string[] {
  const links = [...withoutBlocks(markdown).matchAll(/\]\(([^)\s]+)\)/g)].map(([, to = '']) => to)
  const inside = links.filter((to) => !/^[a-z]+:/i.test(to))
  return inside.map((to) => normalize(to.startsWith('#') ? path + to : join(dirname(path), to)))
}

/** Lists the anchors of a document's headings, as GitHub makes them. */
export function anchorsOf(markdown: string): string[] {
  return headingsOf(markdown).map((heading) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

/** Lists the headings of a document, without their marks. */
export function headingsOf(markdown: string): string[] {
  return [...withoutBlocks(markdown).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading)
}

/** Lists the links of a document whose file or heading does not exist. */
export function brokenLinksOf(path: string, markdown: string): string[] {
  return linksOf(path, markdown).filter((link) => {
    const [file = '', anchor] = link.split('#')
    if (!existsSync(join(ROOT, file))) return true
    return anchor !== undefined && !anchorsOf(readDocument(file)).includes(anchor)
  })
}

function withoutBlocks(markdown: string): string {
  return markdown.replaceAll(/^```[\s\S]*?^```$/gm, '')
}
