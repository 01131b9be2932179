import { join } from 'node:path'
import { build } from 'esbuild'

const ROOT = join(import.meta.dirname, '../../../..')

/** Bundles the program of a tab with the library, as a browser's bundler would find it. */
export async function pageScript(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, 'page-program.ts')],
    bundle: true,
    write: false,
    platform: 'browser',
    format: 'iife',
    logLevel: 'error',
    alias: { rivulet: join(ROOT, 'src/index.ts'), 'rivulet/adapter': join(ROOT, 'src/adapter/index.ts') },
    conditions: ['@rivulet/source'],
  })
  // What stands in a script element ends at the first of these.
  return (outputFiles[0]?.text ?? '').replaceAll('</script', '<\\/script')
}
