import { posix } from 'node:path'
import ts from 'typescript'
import { type SourceFile, visit } from './source-files.ts'

/** Lists what a file imports, as written: static, type-only, dynamic and `import()` types alike. */
export function importsOf(file: SourceFile): string[] {
  const found: string[] = []
  visit(file.tree, (node) => {
    const specifier = specifierOf(node)
    if (specifier !== undefined && ts.isStringLiteralLike(specifier)) found.push(specifier.text)
  })
  return found
}

function specifierOf(node: ts.Node): ts.Node | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) return node.argument.literal
  if (ts.isExternalModuleReference(node)) return node.expression
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
    return node.arguments[0]
  return undefined
}

/** Finds one circle of imports among files, as the list of their paths, or `undefined` when there is none. */
export function findImportCycle(files: readonly SourceFile[]): string[] | undefined {
  const graph = new Map(files.map((file) => [file.path, relativeImportsOf(file)]))
  const finished = new Set<string>()
  for (const path of graph.keys()) {
    const cycle = walk(graph, path, [], finished)
    if (cycle) return cycle
  }
  return undefined
}

function walk(
  graph: ReadonlyMap<string, string[]>,
  path: string,
  trail: string[],
  finished: Set<string>,
): string[] | undefined {
  if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path]
  if (finished.has(path)) return undefined
  for (const next of graph.get(path) ?? []) {
    const cycle = walk(graph, next, [...trail, path], finished)
    if (cycle) return cycle
  }
  finished.add(path)
  return undefined
}

/** Resolves the relative imports of a file to paths from the root. */
export function relativeImportsOf(file: SourceFile): string[] {
  return importsOf(file)
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => posix.join(posix.dirname(file.path), specifier))
}

/** Which folder may import from which. */
export interface FolderOrder {
  /** Folders from top to bottom. A file imports from its own folder and from those below, never from above. */
  readonly downwards: readonly string[]
  /** Folders that no other imports. Their files import from every folder of `downwards` but the topmost. */
  readonly apart: readonly string[]
}

/** Lists the relative imports of a file that go up, or to a folder that has no place in the order. */
export function importsAgainst({ downwards, apart }: FolderOrder, file: SourceFile): string[] {
  const own = posix.dirname(file.path)
  const level = apart.includes(own) ? 1 : downwards.indexOf(own)
  if (level < 0) return [`${own} has no place in the order of folders`]
  return relativeImportsOf(file)
    .filter((path) => {
      const folder = posix.dirname(path)
      return folder !== own && downwards.indexOf(folder) < level
    })
    .map((path) => `imports ${path}`)
}

const CLOCKS_AND_CHANCE = new Set(['performance', 'setTimeout', 'setInterval', 'setImmediate', 'crypto'])
const MEMBERS_OF_TIME_AND_CHANCE = new Set(['Date.now', 'Math.random', 'AbortSignal.timeout'])

/**
 * Lists where a file reads a clock, starts a timer or draws chance, with the lines. A type names them without using
 * them, so does a member of that name.
 */
export function timeAndChanceOf(file: SourceFile): string[] {
  const found: string[] = []
  visit(file.tree, (node) => {
    const name = timeOrChanceIn(node)
    if (name !== undefined) found.push(`${name} in line ${lineOf(node)}`)
  })
  return found
}

function timeOrChanceIn(node: ts.Node): string | undefined {
  if (ts.isIdentifier(node)) {
    const isUse =
      CLOCKS_AND_CHANCE.has(node.text) && !isNameOfMember(node) && !ts.isTypeQueryNode(node.parent)
    return isUse ? node.text : undefined
  }
  if (ts.isNewExpression(node) && nameOfGlobal(node.expression) === 'Date') {
    return node.arguments?.length ? undefined : 'new Date()'
  }
  if (ts.isCallExpression(node) && nameOfGlobal(node.expression) === 'Date') return 'Date()'
  const member = memberOf(node)
  return member !== undefined && MEMBERS_OF_TIME_AND_CHANCE.has(member) ? member : undefined
}

/** Gives `Date.now` for `Date.now`, `Date['now']` and `globalThis.Date.now`. */
function memberOf(node: ts.Node): string | undefined {
  if (ts.isPropertyAccessExpression(node)) return `${nameOfGlobal(node.expression)}.${node.name.text}`
  if (!ts.isElementAccessExpression(node) || !ts.isStringLiteralLike(node.argumentExpression))
    return undefined
  return `${nameOfGlobal(node.expression)}.${node.argumentExpression.text}`
}

function nameOfGlobal(node: ts.Expression): string | undefined {
  if (ts.isIdentifier(node)) return node.text
  return ts.isPropertyAccessExpression(node) && isGlobalThis(node.expression) ? node.name.text : undefined
}

const NODE_GLOBALS = new Set(['Buffer', 'process', 'require', '__dirname', '__filename', 'global'])

/**
 * Lists the globals of Node that a file uses, with their lines. A property or a key of that name is none, nor is
 * what the file declares itself.
 */
export function nodeGlobalsOf(file: SourceFile): string[] {
  const uses: ts.Identifier[] = []
  const declared = new Set<string>()
  visit(file.tree, (node) => {
    if (!ts.isIdentifier(node) || !NODE_GLOBALS.has(node.text) || isNameOfMember(node)) return
    if (isNameOfDeclaration(node)) declared.add(node.text)
    else uses.push(node)
  })
  return uses.filter(({ text }) => !declared.has(text)).map((node) => `${node.text} in line ${lineOf(node)}`)
}

/** Lists the private names that a file declares, with their lines. */
export function privateNamesOf(file: SourceFile): string[] {
  const found: string[] = []
  visit(file.tree, (node) => {
    if (ts.isPrivateIdentifier(node)) found.push(`${node.text} in line ${lineOf(node)}`)
  })
  return found
}

function isNameOfDeclaration(node: ts.Identifier): boolean {
  return 'name' in node.parent && node.parent.name === node && !ts.isPropertyAccessExpression(node.parent)
}

function isNameOfMember(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node && !isGlobalThis(parent.expression)
  if (ts.isQualifiedName(parent)) return parent.right === node
  if (ts.isPropertyAssignment(parent) || ts.isPropertySignature(parent)) return parent.name === node
  return ts.isMethodDeclaration(parent) || ts.isMethodSignature(parent) || ts.isPropertyDeclaration(parent)
}

function isGlobalThis(node: ts.Node): boolean {
  return ts.isIdentifier(node) && node.text === 'globalThis'
}

/** Lists the `export *` of a file, with their lines. */
export function starExportsOf(file: SourceFile): string[] {
  return file.tree.statements
    .filter((node) => ts.isExportDeclaration(node) && !node.exportClause)
    .map((node) => `line ${lineOf(node)}`)
}

/** Lists the functions of a file that take more lines than `maxLines`, from their first to their last. */
export function longFunctionsOf(file: SourceFile, maxLines: number): string[] {
  const found: string[] = []
  visit(file.tree, (node) => {
    if (!ts.isFunctionLike(node) || !('body' in node) || !node.body) return
    const lines = file.tree.getLineAndCharacterOfPosition(node.end).line + 2 - lineOf(node)
    if (lines > maxLines) found.push(`${lines} lines from line ${lineOf(node)}`)
  })
  return found
}

function lineOf(node: ts.Node): number {
  return node.getSourceFile().getLineAndCharacterOfPosition(node.getStart()).line + 1
}
