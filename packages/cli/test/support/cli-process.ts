import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { bundleProgram } from '../../../../test/support/bundle-program.ts'

/** The command as one file, built once per test file. */
const command = bundleProgram(join(import.meta.dirname, '../../src/command.ts'))

/** Options of a run of the command. */
export interface CliOptions {
  /** Added to an environment without the command's own variables and those of colours. */
  readonly env?: Readonly<Record<string, string>>
  /** Its input; `'open'` keeps its standard input open, for `type`. @default none */
  readonly input?: string
  /** A file or a folder instead of `input`. */
  readonly stdin?: string
  /** A file that it writes its standard output to. @default a pipe that the test reads */
  readonly stdout?: string
}

/** The end of the command. */
export interface CliEnding {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

/** The command `rivulet` in its own process, on pipes. It ends with the test. */
export class CliProcess {
  readonly #child: ChildProcess
  readonly #closed: Promise<unknown>
  stdout = ''
  stderr = ''

  constructor(args: readonly string[], { env = {}, input, stdin, stdout }: CliOptions = {}) {
    const source = stdin === undefined ? undefined : openSync(stdin, 'r')
    const file = stdout === undefined ? undefined : openSync(stdout, 'w')
    this.#child = spawn(process.execPath, [command, ...args], {
      env: { ...environment(), ...env },
      stdio: [source ?? 'pipe', file ?? 'pipe', 'pipe'],
    })
    for (const opened of [source, file]) if (opened !== undefined) closeSync(opened)
    this.#closed = once(this.#child, 'close')
    this.#child.stdout?.on('data', (chunk) => {
      this.stdout += chunk
    })
    this.#child.stderr?.on('data', (chunk) => {
      this.stderr += chunk
    })
    this.#child.stdin?.on('error', () => {})
    if (input !== 'open') this.#child.stdin?.end(input ?? '')
    onTestFinished(async () => {
      this.kill('SIGKILL')
      this.#child.stdout?.resume()
      await this.#closed
    })
  }

  get pid(): number {
    return this.#child.pid ?? -1
  }

  /** The lines on standard output so far, each as JSON. */
  get records(): Record<string, unknown>[] {
    return this.stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line))
  }

  /** Writes to its standard input. Resolves when the pipe has accepted it, so not while the pipe is full. */
  type(text: string): Promise<void> {
    return new Promise((resolve) => this.#child.stdin?.write(text, () => resolve()))
  }

  /** Ends its standard input. */
  endInput(): void {
    this.#child.stdin?.end()
  }

  /** Stops reading its output, as `head` does when it has enough. */
  leave(): void {
    this.#child.stdout?.destroy()
  }

  /** Stops reading its output for good, and stays. */
  stall(): void {
    this.#child.stdout?.pause()
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Resolves to its exit code, whether or not its output was read. */
  async exited(): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit')
    return this.#child.exitCode
  }

  /** Resolves when standard output has that text. Rejects when the command ends without it. */
  prints(text: string | RegExp): Promise<void> {
    return this.#has('stdout', text)
  }

  /** Resolves when standard error has that text. Rejects when the command ends without it. */
  says(text: string | RegExp): Promise<void> {
    return this.#has('stderr', text)
  }

  /** Resolves when it has ended. */
  async ended(): Promise<CliEnding> {
    await this.#closed
    return { exitCode: this.#child.exitCode, stdout: this.stdout, stderr: this.stderr }
  }

  async #has(stream: 'stdout' | 'stderr', text: string | RegExp): Promise<void> {
    const source = this.#child[stream] as NodeJS.EventEmitter
    const { signal, abort } = abortable()
    let isClosed = false
    const closed = this.#closed.then(() => {
      isClosed = true
    })
    while (!contains(this[stream], text)) {
      if (isClosed) throw new Error(`It ended without ${text}:\n${this.stdout}\n${this.stderr}`)
      await Promise.race([once(source, 'data', { signal }).catch(() => {}), closed])
    }
    abort()
  }
}

/** Runs the command on pipes to its own end. */
export function runCli(args: readonly string[], options?: CliOptions): Promise<CliEnding> {
  return new CliProcess(args, options).ended()
}

/** The size of a terminal. */
export interface Size {
  readonly columns: number
  readonly rows: number
}

const QUOTE = (text: string) => `'${text.replaceAll("'", "'\\''")}'`

/** The command `rivulet` in a pseudo-terminal: standard input, output and error are all the terminal. */
export class CliTerminal {
  readonly #child: ChildProcess
  readonly #closed: Promise<unknown>
  readonly #device: Promise<string>
  #screen = ''

  constructor(args: readonly string[], { env = {} }: CliOptions = {}, { columns, rows }: Size = SIZE) {
    const folder = mkdtempSync(join(tmpdir(), 'rivulet-terminal-'))
    const line = [process.execPath, command, ...args].map(QUOTE).join(' ')
    // `script` of util-linux makes the terminal; `tty` prints its name, for `resize`.
    const shell = `stty cols ${columns} rows ${rows}; echo "<$(tty)>"; exec ${line}`
    this.#child = spawn('script', ['-qefc', shell, join(folder, 'typescript')], {
      env: { ...environment(), TERM: 'xterm-256color', SHELL: '/bin/sh', ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#closed = once(this.#child, 'close')
    this.#child.stdout?.on('data', (chunk) => {
      this.#screen += chunk
    })
    this.#device = this.shows(/<(\S+)>\r?\n/).then(([, device = '']) => device)
    this.#device.catch(() => {})
    onTestFinished(async () => {
      // The end of the terminal ends its programs.
      this.#child.kill('SIGKILL')
      await this.#closed
      rmSync(folder, { recursive: true, force: true })
    })
  }

  /** All output to the terminal, escape sequences included. */
  get screen(): string {
    return this.#screen.replace(/^<\S+>\r?\n/, '')
  }

  /** Types on the keyboard; `'\x03'` is Ctrl-C. */
  type(text: string): void {
    this.#child.stdin?.write(text)
  }

  /** Changes the size of the window; its program gets SIGWINCH. */
  async resize({ columns, rows }: Size): Promise<void> {
    const stty = spawn('stty', ['-F', await this.#device, 'cols', String(columns), 'rows', String(rows)])
    const [code] = await once(stty, 'close')
    if (code !== 0) throw new Error(`stty ended with ${code}`)
  }

  /** Resolves to the match when that text was written. Rejects when the command ends without it. */
  async shows(text: RegExp): Promise<RegExpExecArray> {
    const { signal, abort } = abortable()
    let isClosed = false
    const closed = this.#closed.then(() => {
      isClosed = true
    })
    for (;;) {
      const match = text.exec(this.#screen)
      if (match !== null) {
        abort()
        return match
      }
      if (isClosed) throw new Error(`It ended without ${text}:\n${this.#screen}`)
      const more = once(this.#child.stdout as NodeJS.EventEmitter, 'data', { signal }).catch(() => {})
      await Promise.race([more, closed])
    }
  }

  /** Resolves when the command has ended. */
  async ended(): Promise<{ readonly exitCode: number | null; readonly screen: string }> {
    await this.#closed
    return { exitCode: this.#child.exitCode, screen: this.screen }
  }
}

const SIZE: Size = { columns: 100, rows: 30 }

function abortable(): { readonly signal: AbortSignal; readonly abort: () => void } {
  const controller = new AbortController()
  return { signal: controller.signal, abort: () => controller.abort() }
}

function contains(all: string, text: string | RegExp): boolean {
  return typeof text === 'string' ? all.includes(text) : text.test(all)
}

// `undefined` removes a variable. Node also reads CI to decide whether a terminal has colours.
function environment(): NodeJS.ProcessEnv {
  const own = { RIVULET_URL: undefined, RIVULET_HUB: undefined, RIVULET_CONTEXT: undefined }
  const colors = {
    NO_COLOR: undefined,
    FORCE_COLOR: undefined,
    NODE_DISABLE_COLORS: undefined,
    CI: undefined,
  }
  // Independent of the configuration of this machine's user.
  const home = { XDG_CONFIG_HOME: join(tmpdir(), 'rivulet-no-such-folder') }
  return { ...process.env, ...own, ...colors, ...home, DEBUG: undefined }
}
