import assert from 'node:assert/strict'
import { devDependencies } from '../../package.json' with { type: 'json' }
import type { CheckList } from './check-list.ts'
import { EmptyProject } from './empty-project.ts'
import type { PackedPackage } from './packed-package.ts'

const ARRIVED = { data: { truck: 7 }, isLocal: false }
const TYPED = { truck: 7, at: '1970-01-01T00:00:00.000Z', lengths: 0, kind: 'RivuletError' }
const ON_NODE = { lib: ['es2022'], types: ['node'] }

/** Installs all tarballs side by side, and imports, requires and compiles against them. */
export async function checkTogether(
  list: CheckList,
  packages: readonly PackedPackage[],
  folder: string,
): Promise<void> {
  const project = new EmptyProject(folder)
  const isInstalled = await list.check('all of them install into an empty project', async () => {
    await project.install([
      ...packages.map(({ tarball }) => tarball),
      `@types/node@${devDependencies['@types/node']}`,
    ])
    return undefined
  })
  if (!isInstalled) return
  await list.check('every entry has the same names for import and require', () =>
    checkEntries(project, packages),
  )
  await list.check('import, and the two builds of the core meet', () => checkImport(project))
  await list.check('require', async () => expectOutput(await project.run('require.cjs'), ARRIVED))
  await checkTypes(list, project, packages)
}

async function checkEntries(project: EmptyProject, packages: readonly PackedPackage[]): Promise<string> {
  const entries = packages.flatMap(({ entries }) => entries)
  const text = `
    import { createRequire } from 'node:module'
    const require = createRequire(import.meta.url)
    const namesOf = (module) => Object.keys(module).filter((name) => name !== 'default' && name !== 'module.exports')
    const found = {}
    for (const entry of ${JSON.stringify(entries)}) {
      found[entry] = [namesOf(await import(entry)).sort(), namesOf(require(entry)).sort()]
    }
    console.log(JSON.stringify(found))`
  const found = JSON.parse(await project.runText('entries.mjs', text)) as Record<string, [string[], string[]]>
  for (const [entry, [imported, required]] of Object.entries(found)) {
    assert.deepEqual(imported, required, entry)
    assert.notEqual(imported.length, 0, `${entry} exports nothing`)
  }
  return Object.entries(found)
    .map(([entry, [names]]) => `${entry} ${names.length}`)
    .join(', ')
}

async function checkImport(project: EmptyProject): Promise<undefined> {
  return expectOutput(await project.run('import.mjs'), {
    ...ARRIVED,
    accepted: 1,
    delivered: 1,
    metData: { truck: 8 },
    isOtherCopy: true,
    code: 'INVALID_DATA',
  })
}

async function checkTypes(
  list: CheckList,
  project: EmptyProject,
  packages: readonly PackedPackage[],
): Promise<void> {
  const nodenext = { ...ON_NODE, module: 'nodenext', moduleResolution: 'nodenext' }
  const bundler = { ...ON_NODE, module: 'esnext', moduleResolution: 'bundler' }
  const everything = packages
    .flatMap(({ entries }) => entries)
    .map((entry, index) => `import * as entry${index} from '${entry}'\nconsole.log(entry${index})\n`)
    .join('')
  const variants = [
    { name: 'nodenext, an ES module', ending: 'ts', options: nodenext },
    { name: 'nodenext, a CommonJS module', ending: 'cts', options: nodenext },
    { name: 'bundler', ending: 'ts', options: bundler },
  ]
  for (const { name, ending, options } of variants) {
    await list.check(`TypeScript, ${name}: runs`, async () =>
      expectOutput(await project.compileAndRun(`typed.${ending}`, options), TYPED),
    )
    await list.check(`TypeScript, ${name}: takes every entry`, async () => {
      await project.compileText(`entries.${ending}`, everything, options)
      return undefined
    })
  }
}

/** Compares what a program printed, a line of JSON, with what it should have. */
export function expectOutput(stdout: string, expected: unknown): undefined {
  assert.deepEqual(JSON.parse(stdout), expected)
  return undefined
}
