import assert from 'node:assert/strict'
import { join } from 'node:path'
import { execa } from 'execa'
import { devDependencies } from '../../package.json' with { type: 'json' }
import otel from '../../packages/otel/package.json' with { type: 'json' }
import { checkConsumers } from './check-consumers.ts'
import type { CheckList } from './check-list.ts'
import { checkValues } from './check-values.ts'
import { EmptyProject } from './empty-project.ts'
import type { PackedPackage } from './packed-package.ts'

const ARRIVED = { data: { truck: 7 }, isLocal: false, isHubOfTesting: true }
const TYPED = { truck: 7, at: '1970-01-01T00:00:00.000Z', lengths: 0, kind: 'RivuletError' }
// Of two declarations of a class with private fields, neither takes an instance of the other.
const SAME_HUB = `
import type { Hub } from 'rivulet'
import { createHubIn } from 'rivulet/testing'
export const open: (...args: Parameters<typeof createHubIn>) => Hub = createHubIn
`
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
      // What an entry needs that an optional peer dependency does not bring along.
      `prom-client@${otel.peerDependencies['prom-client']}`,
    ])
    return undefined
  })
  if (!isInstalled) return
  await checkValues(list, project, packages)
  await list.check('import, and the two builds of the core meet', () => checkImport(project))
  await list.check('require', async () => expectOutput(await project.run('require.cjs'), ARRIVED))
  await checkTypes(list, project, packages)
  await checkConsumers(list, project)
  await list.check('the command publishes', () => checkCommand(project))
}

async function checkCommand(project: EmptyProject): Promise<undefined> {
  const program = join(project.folder, 'node_modules/.bin/rivulet')
  const args = ['pub', 'positions', '{"truck":{{n}}}', '--count', '3', '--url', 'memory:check', '--json']
  const { stdout } = await execa(program, args, { cwd: project.folder, timeout: 60_000 })
  assert.equal(JSON.parse(stdout).ledger.confirmed, 3)
  return undefined
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
    .concat(SAME_HUB)
  const variants = [
    { name: 'nodenext, an ES module', ending: 'ts', options: nodenext },
    { name: 'nodenext, a CommonJS module', ending: 'cts', options: nodenext },
    { name: 'bundler', ending: 'ts', options: bundler },
  ]
  for (const { name, ending, options } of variants) {
    await list.check(`TypeScript, ${name}: takes every entry, and runs`, async () => {
      await project.write(`entries.${ending}`, everything)
      const names = [`typed.${ending}`, `entries.${ending}`] as const
      return expectOutput(await project.compileAndRun(names, options), TYPED)
    })
  }
}

/** Compares what a program printed, a line of JSON, with what it should have. */
export function expectOutput(stdout: string, expected: unknown): undefined {
  assert.deepEqual(JSON.parse(stdout), expected)
  return undefined
}
