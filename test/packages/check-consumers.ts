import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../support/source-files.ts'
import type { CheckList } from './check-list.ts'
import type { EmptyProject } from './empty-project.ts'

/** The oldest that the declarations promise, the one that this repository is written in, and the newest. */
const COMPILERS = { '5.4': 'typescript-5.4', '5.9': 'typescript', '7': 'typescript-7' }

const NODE10 = { module: 'commonjs', moduleResolution: 'node10' }
const NODE16 = { module: 'node16', moduleResolution: 'node16' }
const BUNDLER = { module: 'esnext', moduleResolution: 'bundler' }
const ON_NODE = { lib: ['es2022'], types: ['node'] }
const IN_PAGE = { lib: ['es2022', 'dom'], types: [] }
/** Neither the DOM nor Node's types. */
const BARE = { lib: ['es2022'], types: [] }

const ANYWHERE = ['core.ts', 'timers.d.ts']
const IN_A_PAGE = ['core.ts', 'signals.ts']
const SERVERS = ['core.ts', 'signals.ts', 'servers.ts']
const MODULES = ['common.cts', 'both.mts']

/** A setting of a consumer, with the compilers that have it. */
const SETTINGS: readonly [string, readonly (keyof typeof COMPILERS)[], readonly string[], object][] = [
  ['node10, Node', ['5.4', '5.9'], SERVERS, { ...NODE10, ...ON_NODE }],
  ['node16, Node', ['5.4', '5.9', '7'], [...SERVERS, ...MODULES], { ...NODE16, ...ON_NODE }],
  ['node16, neither DOM nor Node', ['5.4', '7'], ANYWHERE, { ...NODE16, ...BARE }],
  ['bundler, DOM', ['5.4', '5.9', '7'], IN_A_PAGE, { ...BUNDLER, ...IN_PAGE, customConditions: ['browser'] }],
  ['bundler, neither DOM nor Node', ['5.9', '7'], ANYWHERE, { ...BUNDLER, ...BARE }],
]

/** Compiles the strict consumers with old and new compilers, and the library's declarations with them. */
export async function checkConsumers(list: CheckList, project: EmptyProject): Promise<void> {
  for (const file of readdirSync(join(import.meta.dirname, 'consumers/strict'))) {
    await project.add(join('strict', file), file)
  }
  for (const [setting, compilers, files, options] of SETTINGS) {
    for (const version of compilers) {
      await list.check(`TypeScript ${version}, ${setting}: strict consumers compile`, async () => {
        await project.compile(join(ROOT, 'node_modules', COMPILERS[version], 'bin/tsc'), files, options)
        return undefined
      })
    }
  }
  await list.check('CommonJS has one class of errors in all entries', () => checkErrorClass(project))
}

async function checkErrorClass(project: EmptyProject): Promise<undefined> {
  const text = `
    const { RivuletError } = require('rivulet')
    const { loadTransport } = require('rivulet/transport')
    const { makeTransport } = require('rivulet/adapter')
    const transport = makeTransport({ name: 'own', capabilities: () => ({}) })
    const errors = Promise.allSettled([loadTransport('unknown:'), transport.flush()])
    errors.then((settled) => console.log(settled.every(({ reason }) => reason instanceof RivuletError)))`
  assert.equal((await project.runText('one-class.cjs', text)).trim(), 'true')
  return undefined
}
