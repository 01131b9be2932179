import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import ts from 'typescript'
import type { CheckList } from './check-list.ts'
import type { EmptyProject } from './empty-project.ts'
import type { PackedPackage } from './packed-package.ts'

/** What a program can import from the core and use at run time, no more and no less. */
const CORE_VALUES = [
  'Hub',
  'Message',
  'RivuletError',
  'Stream',
  'StreamHandle',
  'Subscription',
  'Tap',
  'createHub',
  'loadTransport',
  'openHub',
]

/** The packages that run in a browser. */
const ON_THE_WEB = ['rivulet', '@rivulet/memory', '@rivulet/threads', '@rivulet/websocket']

interface Variant {
  readonly name: string
  readonly ending: 'mts' | 'cts'
  readonly conditions: readonly string[]
}

const VARIANTS: readonly Variant[] = [
  { name: 'import', ending: 'mts', conditions: [] },
  { name: 'require', ending: 'cts', conditions: [] },
  { name: 'import for a browser', ending: 'mts', conditions: ['browser'] },
  { name: 'require for a browser', ending: 'cts', conditions: ['browser'] },
]

type Names = Readonly<Record<string, readonly string[]>>

interface Declared {
  /** What the declarations promise at run time. */
  readonly values: Names
  /** Everything that they name, types included. */
  readonly all: Names
}

/**
 * Compares what the declarations of every entry promise as values with what the module has. Bundling declarations
 * drops `type` from `export { type Hub }`; then `import { Hub }` compiles and does not run.
 */
export async function checkValues(
  list: CheckList,
  project: EmptyProject,
  packages: readonly PackedPackage[],
): Promise<void> {
  const all = new Map<string, readonly string[]>()
  for (const variant of VARIANTS) {
    const entries = entriesOf(packages, variant)
    await list.check(`${variant.name}: every entry has the values that its types promise`, async () => {
      const declared = await declaredNames(project, entries, variant)
      assert.deepEqual(await runtimeNames(project, entries, variant), declared.values)
      assert.deepEqual(declared.values.rivulet, CORE_VALUES)
      for (const entry of entries) {
        const names = declared.all[entry] ?? []
        assert.deepEqual(names, all.get(entry) ?? names, `${entry} has other names here, types included`)
        all.set(entry, names)
      }
      return entries.map((entry) => `${entry} ${declared.values[entry]?.length}`).join(', ')
    })
  }
  await list.check('rivulet/testing has no second copy of a class', () => checkTestingEntry(project))
}

const CLASS_OF_CORE = /\bclass (Hub|Message|RivuletError|Stream|Subscription)\b/

/**
 * Looks for a second copy of a class that the core exports in what `rivulet/testing` was built from. An object of
 * such a copy would be no instance of the class that a program imports from `rivulet`.
 */
async function checkTestingEntry(project: EmptyProject): Promise<string> {
  const folder = join(project.folder, 'node_modules/rivulet/dist/testing')
  for (const name of ['index.js', 'index.cjs']) {
    const { sources, sourcesContent } = JSON.parse(await readFile(join(folder, `${name}.map`), 'utf8'))
    const copies = sources.filter((_: string, index: number) => CLASS_OF_CORE.test(sourcesContent[index]))
    assert.deepEqual(copies, [], `${name} holds copies of classes`)
  }
  for (const name of ['index.d.ts', 'index.d.cts']) {
    assert.doesNotMatch(await readFile(join(folder, name), 'utf8'), CLASS_OF_CORE, name)
  }
  return 'ES module, CommonJS and declarations'
}

function entriesOf(packages: readonly PackedPackage[], { conditions }: Variant): string[] {
  const isWeb = conditions.length > 0
  return packages.filter(({ name }) => !isWeb || ON_THE_WEB.includes(name)).flatMap(({ entries }) => entries)
}

async function runtimeNames(
  project: EmptyProject,
  entries: readonly string[],
  { ending, conditions }: Variant,
): Promise<Names> {
  const load = ending === 'mts' ? 'await import(entry)' : 'require(entry)'
  const text = `
    async function main() {
      const names = {}
      for (const entry of ${JSON.stringify(entries)}) {
        const found = Object.keys(${load})
        if (found.length === 0) throw new Error(entry + ' exports nothing')
        names[entry] = found.filter((name) => name !== 'default' && name !== 'module.exports').sort()
      }
      console.log(JSON.stringify(names))
    }
    main()`
  const options = conditions.map((condition) => `--conditions=${condition}`)
  return JSON.parse(await project.runText(`names.${ending.replace('ts', 'js')}`, text, options))
}

async function declaredNames(
  project: EmptyProject,
  entries: readonly string[],
  { ending, conditions }: Variant,
): Promise<Declared> {
  const name = `declared.${ending}`
  await project.write(
    name,
    entries.map((entry, index) => `import * as entry${index} from '${entry}'\n`).join(''),
  )
  const path = join(project.folder, name)
  const program = ts.createProgram([path], {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    customConditions: [...conditions],
    types: [],
  })
  const checker = program.getTypeChecker()
  const values: Record<string, string[]> = {}
  const all: Record<string, string[]> = {}
  for (const statement of program.getSourceFile(path)?.statements ?? []) {
    if (!ts.isImportDeclaration(statement) || !ts.isStringLiteral(statement.moduleSpecifier)) continue
    const { moduleSpecifier, importClause } = statement
    const entry = moduleSpecifier.text
    const module = checker.getSymbolAtLocation(moduleSpecifier)
    const namespace = importClause?.namedBindings as ts.NamespaceImport
    assert.ok(module, `TypeScript does not find ${entry}`)
    all[entry] = sortedNames(checker.getExportsOfModule(module))
    values[entry] = sortedNames(checker.getTypeAtLocation(namespace.name).getProperties())
  }
  return { values, all }
}

function sortedNames(symbols: readonly ts.Symbol[]): string[] {
  return symbols
    .map(({ name }) => name)
    .filter((name) => name !== 'default')
    .sort()
}
