import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

const BENCH = import.meta.dirname
const ROOT = join(BENCH, '..')
const PACKAGES = [
  '.',
  'packages/memory',
  'packages/mqtt',
  'packages/nats',
  'packages/redis',
  'packages/threads',
]

/** Installs the packages of the benches, and builds the measured ones, when missing or out of date. */
export function prepare(isQuiet) {
  if (!isInstalled())
    npm(BENCH, ['ci', '--no-audit', '--no-fund'], "Installing the benches' own packages", isQuiet)
  for (const folder of PACKAGES) {
    if (!isBuilt(folder))
      npm(join(ROOT, folder), ['exec', '--no', '--', ...buildCommand(folder)], `Building ${folder}`, isQuiet)
  }
}

/** Returns whether the packages are installed. npm writes the inner file last, so a broken installation lacks it. */
function isInstalled() {
  const installed = join(BENCH, 'node_modules', '.package-lock.json')
  return existsSync(installed) && modifiedMs(installed) >= modifiedMs(join(BENCH, 'package-lock.json'))
}

function isBuilt(folder) {
  const built = join(ROOT, folder, 'dist', 'index.js')
  if (!existsSync(built)) return false
  const source = join(ROOT, folder, 'src')
  const files = readdirSync(source, { recursive: true }).map((file) => join(source, file))
  return Math.max(...files.map(modifiedMs)) <= modifiedMs(built)
}

function buildCommand(folder) {
  return folder === '.' ? ['tsup'] : ['tsup', '--config', '../../tsup.config.ts']
}

function npm(cwd, args, what, isQuiet) {
  if (!isQuiet) console.error(`${what} …`)
  // Under `npm run` the environment names the root as the place to install to.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_(config_local_prefix|package_)/.test(name)),
  )
  try {
    execFileSync('npm', args, { cwd, env, stdio: 'pipe', encoding: 'utf8' })
  } catch (error) {
    throw new Error(`${what} failed:\n${error.stdout}\n${error.stderr}`)
  }
}

function modifiedMs(file) {
  return statSync(file).mtimeMs
}
