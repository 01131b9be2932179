import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { type Bug, plant } from './bugs.ts'

const ROOT = join(import.meta.dirname, '../..')

/** Bundles a file of this folder with the core, and with a bug in the core if one is given, so that it runs by itself. */
export async function bundle(entry: string, outfile: string, bug?: Bug): Promise<void> {
  await build({
    entryPoints: [join(import.meta.dirname, entry)],
    ...{ outfile, bundle: true, platform: 'node', format: 'esm', logLevel: 'error' },
    conditions: ['@rivulet/source'],
    plugins: [
      {
        name: 'bug',
        setup({ onLoad }) {
          if (bug === undefined) return
          const path = join(ROOT, bug.file)
          onLoad({ filter: /\.ts$/ }, (args) =>
            args.path === path
              ? { contents: plant(bug, readFileSync(path, 'utf8')), loader: 'ts' }
              : undefined,
          )
        },
      },
    ],
  })
}
