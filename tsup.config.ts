import { defineConfig } from 'tsup'

// One configuration for every package: each builds the entries that its folder has.
const entries =
  process.cwd() === import.meta.dirname ? ['src/index.ts', 'src/testing/index.ts'] : ['src/index.ts']

export default defineConfig({
  entry: entries,
  format: ['esm', 'cjs'],
  target: 'es2022',
  // `Symbol.dispose` in the declarations, for consumers whose `lib` is older.
  dts: { banner: '/// <reference lib="esnext.disposable" />' },
  clean: true,
  sourcemap: true,
  // Only `node:http` is Node's everywhere: other runtimes and bundlers look for a package of the name `http`.
  removeNodeProtocol: false,
  // Shared chunks of CJS would go through a transform that rewrites private fields and renames classes.
  splitting: false,
})
