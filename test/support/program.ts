import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { findExecutable } from './find-executable.ts'
import { ROOT } from './source-files.ts'

const SOURCE = ['--conditions=@rivulet/source', '--import', 'tsx']

/** How a process ended. */
export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stderr: string
}

/** A process that prints lines and takes lines. */
export class Program {
  readonly #child: ChildProcess
  readonly #lines: string[] = []
  readonly #waiting: { test: (line: string) => boolean; resolve: (line: string) => void }[] = []
  /** Resolves at the end of the process. */
  readonly ended: Promise<Ending>

  constructor(child: ChildProcess) {
    this.#child = child
    let stderr = ''
    child.stderr?.on('data', (chunk) => {
      stderr += chunk
    })
    if (child.stdout !== null) createInterface(child.stdout).on('line', (line) => this.#take(line))
    child.stdin?.on('error', () => {})
    this.ended = once(child, 'close').then(([code, signal]) => ({ code, signal, stderr }))
  }

  get pid(): number {
    return this.#child.pid ?? -1
  }

  /** Everything printed so far, line by line. */
  get lines(): readonly string[] {
    return this.#lines
  }

  /** Resolves to the first line that begins so, printed already or not. Rejects when the process ends first. */
  line(start: string): Promise<string> {
    const test = (line: string) => line.startsWith(start)
    const known = this.#lines.find(test)
    if (known !== undefined) return Promise.resolve(known)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ test, resolve })
      void this.ended.then(({ code, signal, stderr }) =>
        reject(
          new Error(
            `No line "${start}": ended with ${code ?? signal}.\n${stderr}\n${this.#lines.join('\n')}`,
          ),
        ),
      )
    })
  }

  /** Resolves to the JSON behind the first line that begins so. */
  async json<Value>(start: string): Promise<Value> {
    return JSON.parse((await this.line(start)).slice(start.length))
  }

  /** Writes a line to the process. */
  tell(line: string): void {
    this.#child.stdin?.write(`${line}\n`)
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.#child.kill(signal)
  }

  #take(line: string): void {
    this.#lines.push(line)
    for (const [index, { test, resolve }] of [...this.#waiting.entries()].reverse()) {
      if (!test(line)) continue
      this.#waiting.splice(index, 1)
      resolve(line)
    }
  }
}

/** Starts a TypeScript file as a Node process, by its path from the root of the repository. */
export function startProgram(
  file: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Program {
  const child = spawn(process.execPath, [...SOURCE, file, ...args], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  return new Program(child)
}

/** Starts a JavaScript file, as a bundle is, as a Node process. */
export function startScript(
  file: string,
  args: readonly string[],
  nodeOptions: readonly string[] = [],
): Program {
  return new Program(
    spawn(process.execPath, [...nodeOptions, file, ...args], { stdio: ['pipe', 'pipe', 'pipe'] }),
  )
}

/** Starts a program of the system, e.g. `mosquitto_sub`. */
export function startCommand(program: string, args: readonly string[]): Program {
  return new Program(spawn(findExecutable(program), args, { stdio: ['pipe', 'pipe', 'pipe'] }))
}
