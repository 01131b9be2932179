import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build, type Plugin } from 'esbuild'
import { defineConfig } from 'tsup'

// One configuration for every package: each builds the entries that its folder has.
const isCore = process.cwd() === import.meta.dirname
const entries = isCore
  ? ['src/index.ts', 'src/index-web.ts', 'src/transport.ts', 'src/testing/index.ts']
  : ['src/index.ts']

const PATHS = {
  rivulet: ['./src/index.ts'],
  'rivulet/transport': ['./src/transport.ts'],
  '@rivulet/*': ['./packages/*/src/index.ts'],
}

export default defineConfig({
  entry: entries,
  // The CommonJS of the core is made of its ES modules: see `writeCommonJs`.
  format: isCore ? ['esm'] : ['esm', 'cjs'],
  target: 'es2022',
  // `rivulet/testing` imports the core by its name, as the packages do: its classes exist once.
  external: ['rivulet'],
  dts: {
    // `Symbol.dispose` in the declarations, for consumers whose `lib` is older.
    banner: '/// <reference lib="esnext.disposable" />',
    // `npm run check:types` checks. TypeScript writes no declarations for a file that it came to through a package, so
    // all have paths here. Members that are marked `@internal` stay out of the declarations.
    compilerOptions: { noCheck: true, stripInternal: true, ...(isCore ? { paths: PATHS } : {}) },
  },
  clean: true,
  sourcemap: true,
  // Only `node:http` is Node's everywhere: other runtimes and bundlers look for a package of the name `http`.
  removeNodeProtocol: false,
  plugins: isCore ? [{ name: 'common-js', buildEnd: writeCommonJs }] : [],
})

// tsup has no hook that runs after the declarations are written.
process.once('exit', (code) => {
  if (code === 0) finishDeclarations()
})

/**
 * Writes each ES module once more as CommonJS, file by file, so that the entries share their classes there too. With
 * `splitting` tsup would send CommonJS through a transform that rewrites private fields and renames classes.
 */
async function writeCommonJs(): Promise<void> {
  await build({
    entryPoints: filesOf('.js').map((file) => join('dist', file)),
    outdir: 'dist',
    outbase: 'dist',
    outExtension: { '.js': '.cjs' },
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'es2022',
    packages: 'external',
    plugins: [SIBLINGS_APART],
    sourcemap: true,
    logLevel: 'warning',
  })
}

/** Leaves imports of other files of the build as they are, under the name that these have as CommonJS. */
const SIBLINGS_APART: Plugin = {
  name: 'siblings-apart',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.?\/.*\.js$/ }, ({ path, kind }) =>
      kind === 'entry-point' ? undefined : { path: path.replace(/\.js$/, '.cjs'), external: true },
    )
  },
}

/**
 * Takes the private fields out of the declarations: TypeScript holds two declarations of a class with private fields
 * for unrelated, and each class has one for ES modules and one for CommonJS. Writes those for CommonJS of the core.
 */
function finishDeclarations(): void {
  for (const file of [...filesOf('.d.ts'), ...filesOf('.d.cts')]) {
    const path = join('dist', file)
    const text = readFileSync(path, 'utf8').replaceAll(/^ *#private;\n/gm, '')
    writeFileSync(path, text)
    if (!isCore) continue
    writeFileSync(path.replace(/\.ts$/, '.cts'), text.replaceAll(/(from '\.\.?\/[^']*)\.js'/g, "$1.cjs'"))
  }
}

function filesOf(ending: string): string[] {
  const files = readdirSync('dist', { recursive: true, encoding: 'utf8' })
  return files.filter((file) => file.endsWith(ending))
}
