import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type BuildOptions, build } from 'esbuild'
import { runWithWebGlobals } from '../support/web-context.ts'
import type { CheckList } from './check-list.ts'
import { EmptyProject } from './empty-project.ts'
import type { PackedPackage } from './packed-package.ts'

// Vite 8 asks for a newer Node than the oldest that the packages support.
const TOOLS = ['vite@^7', 'miniflare@^4']
const OF_NODE_ONLY = /node_modules\/(mqtt|@nats-io|@redis|@rivulet\/(mqtt|nats|redis|gateway|twilio))\//
const PROGRAM = 'web.mjs'
const IN_PAGE = `import { publishInTheWeb } from './${PROGRAM}'\npublishInTheWeb().then(finish, fail)\n`
const IN_WORKER = `import { publishInTheWeb } from './${PROGRAM}'
export default { fetch: async () => Response.json(await publishInTheWeb()) }\n`

const EXPECTED = {
  seen: [
    { data: { truck: 7 }, isLocal: true },
    { data: { truck: 7 }, isLocal: false },
  ],
  isInstance: [true, true, true, true, true],
  code: 'INVALID_OPTIONS',
  namesSchemes: true,
}

interface Bundle {
  readonly script: string
  /** Paths of the files in it. */
  readonly inputs: readonly string[]
}

/** Bundles for browsers and workers where every adapter is installed, and runs what comes out. */
export async function checkBundles(
  list: CheckList,
  packages: readonly PackedPackage[],
  folder: string,
): Promise<void> {
  const project = new EmptyProject(folder)
  const isInstalled = await list.check('all of them install beside bundlers', async () => {
    await project.install([...packages.map(({ tarball }) => tarball), ...TOOLS])
    await project.add(PROGRAM)
    return undefined
  })
  if (!isInstalled) return
  await list.check('esbuild for the browser takes in no client of a broker', async () =>
    runInPage(await bundle(project, IN_PAGE, { platform: 'browser', format: 'iife' })),
  )
  await list.check('vite for the browser takes in no client of a broker', async () =>
    runInPage(await bundleByVite(project)),
  )
  await list.check('a bundle for Node takes them in, so the search would find them', async () => {
    const { inputs } = await bundle(project, IN_WORKER, { platform: 'node', format: 'esm' })
    assert.ok(inputs.some((path) => path.includes('node_modules/mqtt/')))
    assert.ok(inputs.some((path) => path.includes('node_modules/@nats-io/')))
    assert.ok(inputs.some((path) => path.includes('node_modules/@redis/')))
    assert.notEqual(inputs.filter((path) => OF_NODE_ONLY.test(path)).length, 0)
    return undefined
  })
  await checkWorkers(list, project)
}

async function checkWorkers(list: CheckList, project: EmptyProject): Promise<void> {
  for (const condition of ['workerd', 'worker']) {
    await list.check(`a worker that was bundled for "${condition}" publishes in workerd`, async () =>
      runInWorker(
        project,
        // Neutral: no condition of a platform helps, only the one that is given.
        await bundle(project, IN_WORKER, {
          platform: 'neutral',
          mainFields: ['module', 'main'],
          format: 'esm',
          conditions: [condition],
        }),
      ),
    )
  }
}

async function bundle(project: EmptyProject, contents: string, options: BuildOptions): Promise<Bundle> {
  const result = await build({
    stdin: { contents, resolveDir: project.folder },
    absWorkingDir: project.folder,
    bundle: true,
    write: false,
    metafile: true,
    target: 'es2022',
    logLevel: 'silent',
    ...options,
  })
  return { script: result.outputFiles?.[0]?.text ?? '', inputs: Object.keys(result.metafile?.inputs ?? {}) }
}

async function bundleByVite(project: EmptyProject): Promise<Bundle> {
  await project.write('page.js', IN_PAGE)
  const text = `
    import { build } from 'vite'
    const { output } = await build({
      configFile: false,
      logLevel: 'error',
      build: {
        write: false,
        modulePreload: false,
        rollupOptions: { input: 'page.js', output: { format: 'iife', inlineDynamicImports: true } },
      },
    })
    const [chunk] = output
    console.log(JSON.stringify({ script: chunk.code, inputs: chunk.moduleIds, files: output.length }))`
  const { files, ...bundled } = JSON.parse(await project.runText('vite-build.mjs', text))
  assert.equal(files, 1, 'vite makes one file')
  return bundled
}

async function runInPage(bundled: Bundle): Promise<string> {
  const remark = checkInputs(bundled)
  // By JSON: what comes from the other realm has other prototypes.
  const result = JSON.parse(JSON.stringify(await runWithWebGlobals(bundled.script)))
  assert.deepEqual(result, EXPECTED)
  return remark
}

async function runInWorker(project: EmptyProject, bundled: Bundle): Promise<string> {
  const remark = checkInputs(bundled)
  await project.write('worker.js', bundled.script)
  const text = `
    import { Miniflare } from 'miniflare'
    const options = { modules: true, scriptPath: 'worker.js', compatibilityDate: '2025-01-01', cf: false }
    const worker = new Miniflare(options)
    const response = await worker.dispatchFetch('http://worker.invalid/')
    console.log(await response.text())
    await worker.dispose()`
  assert.deepEqual(JSON.parse(await project.runText('run-worker.mjs', text)), EXPECTED)
  return remark
}

function checkInputs({ script, inputs }: Bundle): string {
  const paths = inputs.map((path) => path.replaceAll('\\', '/'))
  assert.deepEqual(
    paths.filter((path) => OF_NODE_ONLY.test(path)),
    [],
  )
  // The same search has found what should be there.
  for (const name of ['rivulet/dist', '@rivulet/memory/dist', 'rxjs']) {
    assert.ok(
      paths.some((path) => path.includes(join('node_modules', name))),
      `${name} is in the bundle`,
    )
  }
  return `${script.length} bytes of ${paths.length} files`
}
