import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { bundleProgram } from '../../support/bundle-program.ts'
import type { Member, StatusChange } from './member.ts'

const PROGRAM = bundleProgram(fileURLToPath(new URL('./member-program.ts', import.meta.url)))

type Act = Exclude<keyof Member, 'isOpen'>

type Answer =
  | { readonly change: StatusChange }
  | { readonly id: number; readonly value?: unknown; readonly error?: string }

interface Call {
  resolve(value: unknown): void
  reject(error: Error): void
}

/** A member in a process of its own, as the test sees it. */
export class MemberProcess {
  readonly name: string
  /** How the status of its hub has changed and when it was ready, as far as it could tell. */
  readonly changes: StatusChange[] = []
  readonly #child: ChildProcess
  readonly #calls = new Map<number, Call>()
  #lastId = 0
  #output = ''

  constructor(name: string) {
    this.name = name
    this.#child = fork(PROGRAM, {
      execArgv: [],
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    for (const output of [this.#child.stdout, this.#child.stderr]) {
      output?.on('data', (chunk) => {
        this.#output += chunk
      })
    }
    this.#child.on('message', (answer: Answer) => this.#take(answer))
    this.#child.on('exit', (code, signal) => this.#gone(`ended with ${code ?? signal}`))
  }

  /** Everything that it printed: nothing, if all is well. */
  get output(): string {
    return this.#output
  }

  /** Whether its hub is up, and every join made again. */
  get isReady(): boolean {
    return this.changes.at(-1)?.status === 'ready'
  }

  /** How often its hub came up. */
  get rises(): number {
    return this.changes.filter(({ status }) => status === 'up').length
  }

  /** Has the member do something, and gives what came of it. */
  call<Name extends Act>(
    act: Name,
    ...args: Parameters<Member[Name]>
  ): Promise<Awaited<ReturnType<Member[Name]>>> {
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve: resolve as Call['resolve'], reject })
      if (!this.#child.connected) return this.#gone('is gone')
      this.#child.send({ id, act, args })
    })
  }

  /** Sends a signal, SIGSTOP and SIGCONT above all. */
  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** Hangs up, and gives the code with which the process then ends by itself. */
  async leave(): Promise<number | null> {
    const exit = once(this.#child, 'exit')
    this.#child.disconnect()
    const [code] = await exit
    return code
  }

  /** Ends the process, whatever it does. */
  kill(): void {
    this.#child.kill('SIGKILL')
  }

  #take(answer: Answer): void {
    if ('change' in answer) {
      this.changes.push(answer.change)
      return
    }
    const call = this.#calls.get(answer.id)
    this.#calls.delete(answer.id)
    if (answer.error === undefined) call?.resolve(answer.value)
    else call?.reject(new Error(`Member ${this.name}: ${answer.error}`))
  }

  #gone(how: string): void {
    const error = new Error(`Member ${this.name} ${how}.\n${this.#output}`)
    for (const call of this.#calls.values()) call.reject(error)
    this.#calls.clear()
  }
}
