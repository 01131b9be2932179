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

/** Counts the lines of a file that hold code: neither blank nor only a comment. */
export function codeLinesOf(file: SourceFile): number {
  const lines = new Set<number>()
  visit(file.tree, (node) => {
    if (ts.isToken(node) || ts.isIdentifier(node)) addLinesOf(node, lines)
    else for (const token of node.getChildren(file.tree)) if (ts.isToken(token)) addLinesOf(token, lines)
  })
  return lines.size
}

function addLinesOf(token: ts.Node, lines: Set<number>): void {
  if (token.getWidth() === 0) return
  const tree = token.getSourceFile()
  const last = tree.getLineAndCharacterOfPosition(token.end).line
  for (let line = lineOf(token) - 1; line <= last; line++) lines.add(line)
}

function lineOf(node: ts.Node): number {
  return node.getSourceFile().getLineAndCharacterOfPosition(node.getStart()).line + 1
}
