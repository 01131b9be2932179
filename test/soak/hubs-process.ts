import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Bug } from '../simulation/bugs.ts'
import { bundle } from '../simulation/bundle.ts'
import type { Acts, Told } from './hubs-program.ts'

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
  #call: Call | undefined
  #output = ''

  /** Starts it from a bundle of the library, with a mistake in it where one is given. */
  static async start(events: HubsEvents, bug: Bug | undefined): Promise<HubsProcess> {
    const folder = mkdtempSync(join(tmpdir(), 'rivulet-soak-'))
    const remove = () => rmSync(folder, { recursive: true, force: true })
    process.once('exit', remove)
    const program = join(folder, 'program.mjs')
    await bundle(join(import.meta.dirname, 'hubs-program.ts'), program, bug)
    const started = new HubsProcess(program, events)
    started.#child.once('exit', remove)
    await once(started.#child, 'spawn')
    return started
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

  /** Has the process do one thing at a time, and gives what came of it. Rejects when it ends. */
  call<Name extends keyof Acts>(
    act: Name,
    ...args: Parameters<Acts[Name]>
  ): Promise<Awaited<ReturnType<Acts[Name]>>> {
    return new Promise((resolve, reject) => {
      this.#call = { resolve: resolve as Call['resolve'], reject }
      if (this.#child.connected) this.#child.send({ act, args })
      else this.#gone('is gone')
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
    if ('entries' in told) this.#events.noted(told.entries)
    else if ('law' in told) this.#events.broken(told.law, told.text)
    else if ('error' in told) this.#call?.reject(new Error(told.error))
    else this.#call?.resolve(told.value)
  }

  #gone(how: string): void {
    this.#call?.reject(new Error(`The hubs' process ${how}.\n${this.#output}`))
  }
}
