import { execa } from 'execa'
import { ROOT } from '../support/source-files.ts'
import type { CheckList } from './check-list.ts'
import type { PackedPackage } from './packed-package.ts'

const NOT_TO_BE_PUBLISHED = /^bench\/|(^|\/)(test|tests|coverage|node_modules|examples)\/|\.test\.ts$|\.tgz$/

const TOOL = { cwd: ROOT, preferLocal: true, all: true } as const

/** Looks at what each tarball holds, then lets publint and are-the-types-wrong look. */
export async function checkTarballs(list: CheckList, packages: readonly PackedPackage[]): Promise<void> {
  for (const packed of packages) {
    await list.check(`${packed.name} holds what it should`, async () => checkFiles(packed))
    await list.check(`${packed.name} pleases publint`, async () => {
      await execa('publint', ['run', packed.tarball, '--strict'], TOOL)
      return undefined
    })
    await list.check(`${packed.name} pleases are-the-types-wrong`, async () => {
      const options = ['--no-definitely-typed', '--format', 'ascii']
      await execa('attw', [packed.tarball, ...options], TOOL)
      return undefined
    })
  }
}

function checkFiles({ files, targets }: PackedPackage): string {
  const missing = ['README.md', 'LICENSE', ...targets].filter((path) => !files.includes(path))
  const stray = files.filter((path) => NOT_TO_BE_PUBLISHED.test(path))
  if (missing.length > 0) throw new Error(`missing: ${missing.join(', ')}`)
  if (stray.length > 0) throw new Error(`should not be in it: ${stray.join(', ')}`)
  return `${files.length} files`
}
