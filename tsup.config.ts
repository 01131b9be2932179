import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build, type Plugin } from 'esbuild'
import { defineConfig } from 'tsup'

// One configuration for every package: each builds the entries that its folder has.
const isCore = process.cwd() === import.meta.dirname
const publicEntries = isCore
  ? ['src/index.ts', 'src/tap.ts', 'src/adapter/index.ts', 'src/adapter/transport.ts', 'src/testing/index.ts']
  : ['src/index.ts']
// The `imports` of package.json pick one of these where the core runs.
const TRANSPORT_PACKAGES = '#transport-packages'
const pickedEntries = isCore ? ['src/hub/transport-packages.ts', 'src/hub/transport-packages-web.ts'] : []

const PATHS = {
  rivulet: ['./src/index.ts'],
  'rivulet/tap': ['./src/tap.ts'],
  'rivulet/adapter': ['./src/adapter/index.ts'],
  '@rivulet/*': ['./packages/*/src/index.ts'],
}
// The command of the gateway imports a package that imports the gateway.
const GATEWAY_PATHS = Object.fromEntries(
  ['gateway/src/index', 'gateway/src/protocol', 'twilio/src/index', 'twilio/src/registry-nats'].map(
    (file) => [
      `@rivulet/${file.replace('/src', '').replace('/index', '')}`,
      [join(import.meta.dirname, `packages/${file}.ts`)],
    ],
  ),
)
const isGateway = process.cwd() === join(import.meta.dirname, 'packages/gateway')

export default defineConfig({
  entry: [...publicEntries, ...pickedEntries],
  // The CommonJS of the core is made of its ES modules: see `writeCommonJs`.
  format: isCore ? ['esm'] : ['esm', 'cjs'],
  target: 'es2022',
  // `rivulet/testing` imports the core by its name, as the packages do: its classes exist once.
  external: ['rivulet', TRANSPORT_PACKAGES],
  dts: {
    ...(isCore && { entry: publicEntries }),
    // `Symbol.dispose` in the declarations, for consumers whose `lib` is older.
    banner: '/// <reference lib="esnext.disposable" />',
    // `npm run check:types` checks. TypeScript writes no declarations for a file that it came to through a package, so
    // all have paths here. Members that are marked `@internal` stay out of the declarations.
    compilerOptions: { noCheck: true, stripInternal: true, ...pathsOf() },
  },
  clean: true,
  sourcemap: true,
  // Only `node:http` is Node's everywhere: other runtimes and bundlers look for a package of the name `http`.
  removeNodeProtocol: false,
  plugins: isCore ? [{ name: 'common-js', buildEnd: writeCommonJs }] : [],
})

function pathsOf() {
  if (isCore) return { paths: PATHS }
  return isGateway ? { paths: GATEWAY_PATHS } : {}
}

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
    external: [TRANSPORT_PACKAGES],
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
    writeFileSync(
      path.replace(/\.ts$/, '.cts'),
      text.replaceAll(/((?:from|import) '\.\.?\/[^']*)\.js'/g, "$1.cjs'"),
    )
  }
}

function filesOf(ending: string): string[] {
  const files = readdirSync('dist', { recursive: true, encoding: 'utf8' })
  return files.filter((file) => file.endsWith(ending))
}
