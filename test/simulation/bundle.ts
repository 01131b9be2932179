import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { type Bug, plant } from './bugs.ts'

const ROOT = join(import.meta.dirname, '../..')

// What of the bundled packages is CommonJS asks for Node's modules with it.
const REQUIRE = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);"

/** Bundles a program with the library, and with a bug in the library if one is given, so that it runs by itself. */
export async function bundle(program: string, outfile: string, bug?: Bug): Promise<void> {
  await build({
    entryPoints: [program],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
    banner: { js: REQUIRE },
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
