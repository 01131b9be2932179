import { rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { build, type PluginBuild } from 'esbuild'
import { afterAll } from 'vitest'

const ROOT = join(import.meta.dirname, '../../../..')

/**
 * Bundles a program and this repository's packages once a test file, and gives the bundle's path: compiled anew, each
 * start takes seconds.
 */
export async function bundle(program: string): Promise<string> {
  const name = basename(program, '.ts')
  // Inside the repository, so that what is not bundled resolves.
  const outfile = join(ROOT, `.cache/gateway/${name}-${process.pid}-${process.hrtime.bigint()}.mjs`)
  await build({
    entryPoints: [program],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
    conditions: ['@rivulet/source'],
    plugins: [{ name: 'others stay outside', setup: leaveOthersOutside }],
  })
  afterAll(() => rmSync(outfile, { force: true }))
  return outfile
}

function leaveOthersOutside({ onResolve }: PluginBuild): void {
  onResolve({ filter: /^[^./]/ }, ({ path }) =>
    /^(rivulet|@rivulet\/)/.test(path) ? undefined : { path, external: true },
  )
}
