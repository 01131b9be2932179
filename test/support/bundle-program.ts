import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildSync } from 'esbuild'

// What of the bundled packages is CommonJS asks for Node's modules with it.
const REQUIRE = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);"

/** Bundles a program with all that it imports: a process of it then starts six times as fast. */
export function bundleProgram(file: string): string {
  return join(bundlePrograms({ program: file }), 'program.mjs')
}

/**
 * Bundles programs by their names together, so that each file is read once; gives the folder with `<name>.mjs`. With
 * `splitting` files that several of them import exist once, as in the source.
 */
export function bundlePrograms(entryPoints: Readonly<Record<string, string>>, splitting = false): string {
  const outdir = mkdtempSync(join(tmpdir(), 'rivulet-program-'))
  process.on('exit', () => rmSync(outdir, { recursive: true, force: true }))
  // Vitest ends a worker by a signal, after which there would be no 'exit'.
  process.once('SIGTERM', () => process.exit(143))
  buildSync({
    entryPoints: { ...entryPoints },
    bundle: true,
    splitting,
    platform: 'node',
    format: 'esm',
    banner: { js: REQUIRE },
    conditions: ['@rivulet/source'],
    outdir,
    outExtension: { '.js': '.mjs' },
  })
  return outdir
}
