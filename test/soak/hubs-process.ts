import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { type Bug, plant } from '../simulation/bugs.ts'
import { ROOT } from '../support/source-files.ts'
import type { Acts, Told } from './hubs-program.ts'

// What of the bundled packages is CommonJS asks for Node's modules with it.
const REQUIRE = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);"

/** Told what the hubs' process tells. */
export interface HubsEvents {
  readonly noted: (entries: Int32Array) => void
  readonly broken: (law: string, text: string) => void
}

interface Call {
  resolve(value: unknown): void
  reject(error: Error): void
}

/** The process of the hubs, as the soak sees it. */
export class HubsProcess {
  readonly #child: ChildProcess
  readonly #events: HubsEvents
  readonly #calls = new Map<number, Call>()
  #lastId = 0
  #output = ''

  /** Starts it from a bundle of the library, with a mistake in it where one is given. */
  static async start(events: HubsEvents, bug: Bug | undefined): Promise<HubsProcess> {
    const folder = mkdtempSync(join(tmpdir(), 'rivulet-soak-'))
    try {
      const program = join(folder, 'program.mjs')
      await bundle(program, bug)
      const started = new HubsProcess(program, events)
      await once(started.#child, 'spawn')
      return started
    } finally {
      process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
    }
  }

  private constructor(program: string, events: HubsEvents) {
    this.#events = events
    this.#child = fork(program, {
      execArgv: ['--expose-gc'],
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    for (const output of [this.#child.stdout, this.#child.stderr]) {
      output?.on('data', (chunk) => {
        this.#output += chunk
      })
    }
    this.#child.on('message', (told: Told) => this.#take(told))
    this.#child.on('close', (code, signal) => this.#gone(`ended with ${code ?? signal}`))
  }

  /** Has the process do something, and gives what came of it. Rejects when it ends. */
  call<Name extends keyof Acts>(
    act: Name,
    ...args: Parameters<Acts[Name]>
  ): Promise<Awaited<ReturnType<Acts[Name]>>> {
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve: resolve as Call['resolve'], reject })
      if (!this.#child.connected) return this.#gone('is gone')
      this.#child.send({ id, act, args })
    })
  }

  /** Hangs up and waits until the process ends by itself: something that is left keeps it alive. */
  async ends(deadlineMs: number): Promise<boolean> {
    const ended = once(this.#child, 'exit')
    this.#child.disconnect()
    const timer = setTimeout(() => this.kill(), deadlineMs)
    const [code] = await ended
    clearTimeout(timer)
    return code === 0 && this.#output === ''
  }

  /** Everything that it printed: nothing, if all is well. */
  get output(): string {
    return this.#output
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  #take(told: Told): void {
    if ('entries' in told) return this.#events.noted(told.entries)
    if ('law' in told) return this.#events.broken(told.law, told.text)
    const call = this.#calls.get(told.id)
    this.#calls.delete(told.id)
    if (told.error === undefined) call?.resolve(told.value)
    else call?.reject(new Error(told.error))
  }

  #gone(how: string): void {
    for (const { reject } of this.#calls.values())
      reject(new Error(`The hubs' process ${how}.\n${this.#output}`))
    this.#calls.clear()
  }
}

async function bundle(outfile: string, bug: Bug | undefined): Promise<void> {
  await build({
    entryPoints: [join(import.meta.dirname, 'hubs-program.ts')],
    ...{ outfile, bundle: true, platform: 'node', format: 'esm', logLevel: 'error' },
    banner: { js: REQUIRE },
    conditions: ['@rivulet/source'],
    plugins: [
      {
        name: 'bug',
        setup({ onLoad }) {
          if (bug === undefined) return
          const path = join(ROOT, bug.file)
          onLoad({ filter: /\.ts$/ }, (args) =>
            args.path === path
              ? { contents: plant(bug, readFileSync(path, 'utf8')), loader: 'ts' }
              : undefined,
          )
        },
      },
    ],
  })
}
