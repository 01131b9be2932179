import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'

/**
 * Makes a copy of the working tree, changes not committed included, and returns its folder. Mutants live in the copy,
 * so that a run that is cut off leaves nothing behind in the files that people edit.
 */
export function copyTree(root: string, folder: string): string {
  rmSync(folder, { recursive: true, force: true })
  for (const file of filesOf(root)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    cpSync(join(root, file), join(folder, file))
  }
  linkModules(join(root, 'node_modules'), join(folder, 'node_modules'))
  for (const name of readdirSync(join(root, 'packages'))) {
    const modules = join(root, 'packages', name, 'node_modules')
    if (existsSync(modules)) symlinkSync(modules, join(folder, 'packages', name, 'node_modules'))
  }
  return folder
}

function filesOf(root: string): string[] {
  const listing = ['ls-files', '--cached', '--others', '--exclude-standard', '-z']
  const names = execFileSync('git', listing, { cwd: root, encoding: 'utf8' }).split('\0')
  return names.filter((name) => name !== '' && existsSync(join(root, name)))
}

/** Links each module by itself: `rivulet` and `@rivulet/…` are links to folders of the tree, here of the copy. */
function linkModules(from: string, to: string): void {
  mkdirSync(join(to, '@rivulet'), { recursive: true })
  for (const name of readdirSync(from)) {
    if (!['rivulet', '@rivulet', '.vite', '.vite-temp'].includes(name))
      symlinkSync(join(from, name), join(to, name))
  }
  symlinkSync('..', join(to, 'rivulet'))
  for (const name of readdirSync(join(from, '@rivulet'))) {
    symlinkSync(join('..', '..', 'packages', name), join(to, '@rivulet', name))
  }
}
