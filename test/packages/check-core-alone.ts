import assert from 'node:assert/strict'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { type BuildOptions, build } from 'esbuild'
import { runWithWebGlobals } from '../support/web-context.ts'
import type { CheckList } from './check-list.ts'
import { expectOutput } from './check-together.ts'
import { EmptyProject } from './empty-project.ts'
import type { PackedPackage } from './packed-package.ts'

// A program that bundles the core pays for these; raise them for what users gain, and say so in the commit.
const MAX_CORE_BYTES = 31_000
// What a page loads: the core as browsers get it, RxJS, EventEmitter3 and the transport over WebSockets.
const MAX_PAGE_BYTES = 40_000

/** Installs what has no dependency on Node, with nothing else beside it: no adapter, no types of Node. */
export async function checkCoreAlone(
  list: CheckList,
  packages: readonly PackedPackage[],
  folder: string,
): Promise<void> {
  const project = new EmptyProject(folder)
  const tarballOf = (name: string) => packages.find((packed) => packed.name === name)?.tarball ?? name
  const isInstalled = await list.check('the core installs alone', async () => {
    await project.install([tarballOf('rivulet')])
    return undefined
  })
  if (!isInstalled) return
  await list.check('an adapter that is not installed is named', () => checkMissingAdapter(project))
  await list.check('a bundle for the browser publishes with web globals only', () =>
    checkBrowserBundle(project),
  )
  await list.check(`the core takes at most ${MAX_CORE_BYTES} bytes`, () => checkSize(project))
  await list.check(`all that a page needs takes at most ${MAX_PAGE_BYTES} bytes`, async () => {
    await project.install([tarballOf('@rivulet/websocket')])
    return checkPageSize(project)
  })
  await list.check('TypeScript for the browser, without the types of Node', async () => {
    await project.install([tarballOf('@rivulet/memory')])
    const options = {
      module: 'esnext',
      moduleResolution: 'bundler',
      customConditions: ['browser'],
      lib: ['es2022', 'dom'],
      types: [],
      exactOptionalPropertyTypes: true,
    }
    const printed = JSON.parse(await project.compileAndRun(['typed.ts'], options))
    assert.equal(printed.truck, 7)
    return undefined
  })
}

async function checkMissingAdapter(project: EmptyProject): Promise<undefined> {
  const text = `
    import { openHub } from 'rivulet'
    const { code, message } = await openHub('nats://127.0.0.1:4222').catch((error) => error)
    console.log(JSON.stringify({ code, isNamed: message.includes('npm install @rivulet/nats') }))`
  const printed = await project.runText('missing.mjs', text)
  return expectOutput(printed, { code: 'TRANSPORT_MISSING', isNamed: true })
}

async function checkBrowserBundle(project: EmptyProject): Promise<string> {
  const program = `
    import { createHub } from 'rivulet'
    const stream = createHub().stream('positions')
    stream.subscribe(({ data }) => finish(data))
    stream.publish({ truck: 7 })`
  const script = await bundle(project, program, { format: 'iife' })
  assert.deepEqual({ ...((await runWithWebGlobals(script)) as object) }, { truck: 7 })
  return `${script.length} bytes with its dependencies`
}

async function checkSize(project: EmptyProject): Promise<string> {
  const core = join(project.folder, 'node_modules/rivulet/dist/index.js')
  const script = await bundle(project, `export * from ${JSON.stringify(core)}`, {
    format: 'esm',
    packages: 'external',
    minify: true,
  })
  return expectSize(script, MAX_CORE_BYTES)
}

async function checkPageSize(project: EmptyProject): Promise<string> {
  const program = `export * from 'rivulet'\nexport * from '@rivulet/websocket'`
  // No other package is installed, and the import of one that is missing has a \`catch\`.
  const script = await bundle(project, program, {
    format: 'esm',
    minify: true,
    external: ['@rivulet/memory'],
  })
  assert.ok(script.includes('arraybuffer'), 'the transport is in it')
  return expectSize(script, MAX_PAGE_BYTES)
}

function expectSize(script: string, maxBytes: number): string {
  const bytes = gzipSync(script, { level: 9 }).length
  assert.ok(bytes <= maxBytes, `${bytes} bytes minified and gzipped, the limit is ${maxBytes}`)
  return `${bytes} bytes minified and gzipped (${script.length} before gzip)`
}

async function bundle(project: EmptyProject, program: string, options: BuildOptions): Promise<string> {
  const result = await build({
    stdin: { contents: program, resolveDir: project.folder },
    bundle: true,
    write: false,
    platform: 'browser',
    target: 'es2022',
    logLevel: 'silent',
    ...options,
  })
  return result.outputFiles?.[0]?.text ?? ''
}
