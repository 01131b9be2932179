import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { build, type PluginBuild } from 'esbuild'
import { afterAll, onTestFinished } from 'vitest'

const ROOT = join(import.meta.dirname, '../../../..')
const COMMAND = join(import.meta.dirname, '../../src/command/command.ts')

/** Bundles the command and this repository's packages once a test file: compiled anew, each start takes seconds. */
async function bundleCommand(): Promise<string> {
  // Inside the repository, so that what is not bundled resolves.
  const outfile = join(ROOT, `.cache/gateway/command-${process.pid}-${process.hrtime.bigint()}.mjs`)
  await build({
    ...{ entryPoints: [COMMAND], outfile, bundle: true, platform: 'node', format: 'esm', logLevel: 'error' },
    conditions: ['@rivulet/source'],
    plugins: [{ name: 'others stay outside', setup: leaveOthersOutside }],
  })
  afterAll(() => rmSync(outfile, { force: true }))
  return outfile
}

function leaveOthersOutside({ onResolve }: PluginBuild): void {
  onResolve({ filter: /^[^./]/ }, ({ path }) =>
    /^(rivulet|@rivulet\/)/.test(path) ? undefined : { path, external: true },
  )
}

const command = await bundleCommand()

/** The command, running in a process of its own. */
export class GatewayProcess {
  readonly child: ChildProcess
  output = ''

  constructor(args: readonly string[], env: Record<string, string> = {}) {
    this.child = spawn(process.execPath, [command, ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const append = (chunk: Buffer) => {
      this.output += chunk
    }
    this.child.stdout?.on('data', append)
    this.child.stderr?.on('data', append)
    onTestFinished(async () => {
      await this.kill()
    })
  }

  /** The lines of the log. */
  get lines(): Record<string, unknown>[] {
    return this.output
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line))
  }

  /** Where it listens, once it does. */
  async url(): Promise<string> {
    for (;;) {
      const line = this.lines.find(({ msg }) => msg === 'listening')
      if (line !== undefined) return line.url as string
      if (this.child.exitCode !== null) throw new Error(`the gateway ended at once:\n${this.output}`)
      await Promise.race([once(this.child.stdout as NodeJS.EventEmitter, 'data'), once(this.child, 'close')])
    }
  }

  /** Resolves to the exit code. */
  async ended(): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'close')
    return this.child.exitCode
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
    if (this.child.exitCode === null) this.child.kill(signal)
    return this.ended()
  }
}
