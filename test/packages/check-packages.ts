import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkBundles } from './check-bundles.ts'
import { checkCoreAlone } from './check-core-alone.ts'
import { CheckList } from './check-list.ts'
import { checkRuntimes } from './check-runtimes.ts'
import { checkTarballs } from './check-tarballs.ts'
import { checkTogether } from './check-together.ts'
import { type PackedPackage, packAll } from './packed-package.ts'

// Packs every package as it would be published, installs the tarballs where nothing else is, and uses them.
const list = new CheckList()
const folder = await mkdtemp(join(tmpdir(), 'rivulet-packages-'))
try {
  console.log('packed packages')
  const packages: PackedPackage[] = []
  const isPacked = await list.check('npm pack', async () => {
    packages.push(...(await packAll(folder)))
    return packages.map(({ name }) => name).join(', ')
  })
  if (isPacked) {
    // Each in a folder of its own.
    await Promise.all([
      checkTarballs(list, packages),
      checkTogether(list, packages, join(folder, 'together')),
      checkBundles(list, packages, join(folder, 'bundles')),
      checkCoreAlone(list, packages, join(folder, 'alone')),
      checkRuntimes(list, packages, join(folder, 'runtimes')),
    ])
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
console.log(list.summary)
process.exitCode = list.failed === 0 ? 0 : 1
