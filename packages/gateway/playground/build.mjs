import { cp, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const HERE = import.meta.dirname
const ROOT = join(HERE, '../../..')

/** Bundles the page's program with the library, and puts the page beside it, where the gateway serves it from. */
export async function buildPlayground(folder = join(HERE, '../dist/playground')) {
  await mkdir(folder, { recursive: true })
  await build({
    ...{ entryPoints: [join(HERE, 'client.ts')], outfile: join(folder, 'client.js'), bundle: true },
    ...{ format: 'esm', platform: 'browser', target: 'es2022', minify: true, logLevel: 'error' },
    // From the source, since these packages may be built later; the core as browsers have it.
    alias: {
      rivulet: join(ROOT, 'src/index.ts'),
      'rivulet/adapter': join(ROOT, 'src/adapter/index.ts'),
      '@rivulet/websocket': join(ROOT, 'packages/websocket/src/index.ts'),
    },
    conditions: ['@rivulet/source'],
  })
  for (const file of ['index.html', 'style.css']) await cp(join(HERE, file), join(folder, file))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildPlayground()
