import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { ROOT } from '../support/source-files.ts'

const STRICT = {
  target: 'es2022',
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: false,
  outDir: 'out',
}

// Several compile at the same time, on machines that have other work too.
const PROGRAM_TIMEOUT_MS = 300_000

/** A folder outside this repository, so that nothing resolves but what was installed into it. */
export class EmptyProject {
  readonly folder: string

  constructor(folder: string) {
    this.folder = folder
  }

  /** Makes the folder and installs tarballs and packages of the registry into it, side by side. */
  async install(packages: readonly string[]): Promise<void> {
    await mkdir(this.folder, { recursive: true })
    await this.write('package.json', JSON.stringify({ name: 'consumer', private: true, type: 'module' }))
    await execa('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', ...packages], {
      cwd: this.folder,
    })
  }

  /** Puts a program of `consumers/` into the folder, under this name or another. */
  async add(program: string, name = program): Promise<void> {
    await copyFile(join(import.meta.dirname, 'consumers', program), join(this.folder, name))
  }

  /** Runs a program of `consumers/` with Node, and gives what it prints. */
  async run(program: string): Promise<string> {
    await this.add(program)
    return this.#node(program)
  }

  /** Runs a text with Node and its options under a file name, whose ending decides how imports work in it. */
  async runText(name: string, text: string, options: readonly string[] = []): Promise<string> {
    await this.write(name, text)
    return this.#node(name, options)
  }

  /**
   * Compiles `consumers/typed.ts` under the first of these file names, together with the others, strictly and with the
   * library's declarations checked too. Runs what comes out of the first.
   */
  async compileAndRun(
    names: readonly [string, ...string[]],
    options: Record<string, unknown>,
  ): Promise<string> {
    const [program] = names
    await this.add('typed.ts', program)
    await this.compile(join(ROOT, 'node_modules/typescript/bin/tsc'), names, options)
    return this.#node(join('out', program.replace(/ts$/, 'js')))
  }

  /** Compiles files of the folder with a compiler, strictly and with the library's declarations checked too. */
  async compile(compiler: string, files: readonly string[], options: object): Promise<void> {
    const config = { compilerOptions: { ...STRICT, ...options }, files }
    await this.write('tsconfig.json', JSON.stringify(config))
    await this.#node(compiler)
  }

  /** Writes a file into the folder. */
  async write(name: string, text: string): Promise<void> {
    await writeFile(join(this.folder, name), text)
  }

  async #node(script: string, options: readonly string[] = []): Promise<string> {
    const { stdout } = await execa('node', [...options, script], {
      cwd: this.folder,
      timeout: PROGRAM_TIMEOUT_MS,
    })
    return stdout
  }
}
