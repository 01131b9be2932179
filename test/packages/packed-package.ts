import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { packageFolders, ROOT } from '../support/source-files.ts'

/** What `npm pack` made of one package. */
export interface PackedPackage {
  readonly name: string
  readonly tarball: string
  /** Paths inside the tarball. */
  readonly files: readonly string[]
  /** What can be imported: `rivulet`, `rivulet/testing`, … */
  readonly entries: readonly string[]
  /** Paths that `exports` points at. */
  readonly targets: readonly string[]
}

type Exports = Record<string, unknown>

/** Packs the root and every folder of `packages/` into a folder. */
export async function packAll(destination: string): Promise<PackedPackage[]> {
  const folders = [ROOT, ...packageFolders().map((folder) => join(ROOT, folder))]
  return Promise.all(folders.map((folder) => pack(folder, destination)))
}

async function pack(folder: string, destination: string): Promise<PackedPackage> {
  const { name, exports } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    name: string
    exports: Exports
  }
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', destination]
  const { stdout } = await execa('npm', args, { cwd: folder })
  const [packed] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }]
  const codeEntries = Object.keys(exports).filter((key) => !key.endsWith('.json'))
  return {
    name,
    tarball: join(destination, packed.filename),
    files: packed.files.map(({ path }) => path),
    entries: codeEntries.map((key) => join(name, key)),
    targets: targetsOf(exports),
  }
}

function targetsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value.replace('./', '')]
  return Object.values(value as Exports).flatMap(targetsOf)
}
