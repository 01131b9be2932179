import { execFileSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { cpus, release, totalmem, type } from 'node:os'
import { join } from 'node:path'
import { CHECKOUT } from './bundle.mjs'

const BENCH = import.meta.dirname

/** Describes the machine and the rivals of a measurement. */
export function describeMachine() {
  return {
    cpu: `${cpus()[0].model.trim()} × ${cpus().length}`,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()} ${process.arch}`,
    packages: rivalVersions(),
  }
}

/** Describes the Node and the Rivulet that this process measures. */
export function describeVersions() {
  return {
    node: process.version,
    v8: process.versions.v8,
    rivulet: `${versionIn(CHECKOUT)}${commit()}, the built dist/index.js of ${builtOn()}`,
  }
}

function rivalVersions() {
  const { dependencies } = JSON.parse(readFileSync(join(BENCH, 'package.json'), 'utf8'))
  const versions = Object.keys(dependencies).map((name) => [
    name,
    versionIn(join(BENCH, 'node_modules', name)),
  ])
  return Object.fromEntries(versions)
}

function versionIn(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version
}

function builtOn() {
  return statSync(join(CHECKOUT, 'dist', 'index.js'))
    .mtime.toISOString()
    .slice(0, 16)
}

/** Returns the commit; nothing without Git, e.g. in an unpacked archive. */
function commit() {
  try {
    const git = (...args) =>
      execFileSync('git', args, { cwd: CHECKOUT, encoding: 'utf8', stdio: 'pipe' }).trim()
    return ` (${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain', 'src') ? ' with changes' : ''})`
  } catch {
    return ''
  }
}
