import { type ChildProcess, fork } from 'node:child_process'
import { CommandError, type ExitCode } from '../base/exit-code.ts'
import type { BenchProcess, ProcessOrder, ProcessReport } from './process-order.ts'

/** The command of a child process. It is internal, so not in the help. */
export const CHILD_COMMAND = 'bench-process'

/** A message from the parent to a child. */
export type ChildRequest =
  | { readonly ask: 'open'; readonly order: ProcessOrder }
  | { readonly ask: 'run' | 'finish' | 'stop' }
  | { readonly ask: 'acknowledge'; readonly receiver: string; readonly count: number }

/** A message from a child to its parent. */
export type ChildResponse =
  | { readonly done: 'open' | 'run' | 'finish'; readonly report?: ProcessReport }
  | { readonly failed: string; readonly exitCode: ExitCode }
  | { readonly receiver: string; readonly count: number }

/** A part of the bench in a child process. */
export class ChildBenchProcess implements BenchProcess {
  readonly #order: ProcessOrder
  readonly #child: ChildProcess
  readonly #progress: (receiver: string, count: number) => void
  #settle: { resolve(answer: ChildResponse): void; reject(error: Error): void } | undefined

  /** `progress` receives each receiver's count of messages. */
  constructor(order: ProcessOrder, progress: (receiver: string, count: number) => void) {
    this.#order = order
    this.#progress = progress
    // The order may contain secrets, so it goes through the channel, not into the arguments.
    this.#child = fork(process.argv[1] as string, [CHILD_COMMAND], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.#child.on('message', (answer: ChildResponse) => this.#take(answer))
    this.#child.on('exit', () => this.#fail(new Error('A process of the bench has ended too early.')))
    this.#child.on('error', (error) => this.#fail(error))
  }

  async open(): Promise<void> {
    await this.#ask({ ask: 'open', order: this.#order })
  }

  async run(): Promise<void> {
    await this.#ask({ ask: 'run' })
  }

  acknowledge(receiver: string, count: number): void {
    this.#send({ ask: 'acknowledge', receiver, count })
  }

  async finish(): Promise<ProcessReport> {
    const answer = await this.#ask({ ask: 'finish' })
    return (answer as { readonly report: ProcessReport }).report
  }

  /** Closes the channel; the child then ends by itself. */
  stop(): void {
    if (this.#child.connected) this.#child.disconnect()
  }

  /** Ends its publishing and waiting early; `finish` still works. */
  interrupt(): void {
    this.#send({ ask: 'stop' })
  }

  #ask(request: ChildRequest): Promise<ChildResponse> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
      if (this.#child.connected) this.#send(request)
      else this.#fail(new Error('A process of the bench has ended too early.'))
    })
  }

  #send(request: ChildRequest): void {
    // The event `exit` reports a child that has just ended.
    if (this.#child.connected) this.#child.send(request, () => {})
  }

  #take(answer: ChildResponse): void {
    if ('receiver' in answer) this.#progress(answer.receiver, answer.count)
    else if ('failed' in answer) this.#fail(new CommandError(answer.failed, answer.exitCode))
    else this.#settle?.resolve(answer)
  }

  #fail(error: Error): void {
    this.#settle?.reject(error)
  }
}
