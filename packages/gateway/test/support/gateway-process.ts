import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { bundle } from './bundle.ts'

const command = await bundle(join(import.meta.dirname, '../../src/command/command.ts'))

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
