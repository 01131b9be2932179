import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import ts from 'typescript'

export const ROOT = join(import.meta.dirname, '../..')

/** A TypeScript file of this repository, parsed. */
export interface SourceFile {
  /** Path from the root of the repository, with `/`. */
  readonly path: string
  readonly tree: ts.SourceFile
}

/** Reads and parses every `.ts` file under a folder, sorted by path. */
export function readSourceFiles(folder: string): SourceFile[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .sort()
    .map((path) => parse(path, readFileSync(join(ROOT, path), 'utf8')))
}

/** Parses a text as if it were the file of that path. */
export function parse(path: string, text: string): SourceFile {
  return { path, tree: ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true) }
}

/** Lists the folders in `packages/`. */
export function packageFolders(): string[] {
  return readdirSync(join(ROOT, 'packages'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => `packages/${entry.name}`)
    .sort()
}

/** Visits every node of a tree, parents before children. */
export function visit(node: ts.Node, each: (node: ts.Node) => void): void {
  each(node)
  ts.forEachChild(node, (child) => visit(child, each))
}
