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
  format: ['esm', 'cjs'],
  target: 'es2022',
  // `rivulet/testing` imports the core by its name, as the packages do: its classes exist once.
  external: ['rivulet'],
  dts: {
    // `Symbol.dispose` in the declarations, for consumers whose `lib` is older.
    banner: '/// <reference lib="esnext.disposable" />',
    // `npm run check:types` checks. TypeScript writes no declarations for a file that it came to through a package, so
    // all have paths here.
    compilerOptions: { noCheck: true, ...(isCore ? { paths: PATHS } : {}) },
  },
  clean: true,
  sourcemap: true,
  // Only `node:http` is Node's everywhere: other runtimes and bundlers look for a package of the name `http`.
  removeNodeProtocol: false,
  // `splitting` is left alone, so ES modules share what two entries have in common and CommonJS does not: its
  // shared files would go through a transform that rewrites private fields and renames classes.
})
