import { defineConfig } from 'tsup'

// One configuration for every package: each builds the entries that its folder has.
const entries = process.cwd() === import.meta.dirname ? ['src/index.ts', 'src/testing/index.ts'] : ['src/index.ts']

export default defineConfig({
  entry: entries,
  format: ['esm', 'cjs'],
  target: 'es2022',
  dts: true,
  clean: true,
  sourcemap: true,
  splitting: true,
})
