import { type ChildProcess, fork } from 'node:child_process'
import { CommandError, type ExitCode } from '../base/exit-code.ts'
import type { Side, SideOrder, SideReport } from './side-order.ts'

/** The command that a child process runs. It is not for users, so no help names it. */
export const SIDE_COMMAND = 'bench-side'

/** A message from the parent to a child. */
export type SideRequest =
  | { readonly ask: 'open'; readonly order: SideOrder }
  | { readonly ask: 'run' | 'finish' | 'stop' }
  | { readonly ask: 'acknowledge'; readonly receiver: string; readonly count: number }

/** A message from a child to its parent. */
export type SideAnswer =
  | { readonly done: 'open' | 'run' | 'finish'; readonly report?: SideReport }
  | { readonly failed: string; readonly exitCode: ExitCode }
  | { readonly receiver: string; readonly count: number }

/** A part of the bench in a process of its own. */
export class ChildSide implements Side {
  readonly #order: SideOrder
  readonly #child: ChildProcess
  readonly #progress: (receiver: string, count: number) => void
  #settle: { resolve(answer: SideAnswer): void; reject(error: Error): void } | undefined

  /** `progress` is told how far each receiver has come. */
  constructor(order: SideOrder, progress: (receiver: string, count: number) => void) {
    this.#order = order
    this.#progress = progress
    // The order may hold secrets, so it goes through the channel, not into the arguments.
    this.#child = fork(process.argv[1] as string, [SIDE_COMMAND], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.#child.on('message', (answer: SideAnswer) => this.#take(answer))
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
    this.#tell({ ask: 'acknowledge', receiver, count })
  }

  async finish(): Promise<SideReport> {
    const answer = await this.#ask({ ask: 'finish' })
    return (answer as { readonly report: SideReport }).report
  }

  /** Closes the channel; the child then ends by itself. */
  stop(): void {
    if (this.#child.connected) this.#child.disconnect()
  }

  /** Ends its publishing and waiting early; it can still finish. */
  interrupt(): void {
    this.#tell({ ask: 'stop' })
  }

  #ask(request: SideRequest): Promise<SideAnswer> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
      if (this.#child.connected) this.#tell(request)
      else this.#fail(new Error('A process of the bench has ended too early.'))
    })
  }

  #tell(request: SideRequest): void {
    // A child that has just ended is known by its event `exit`.
    if (this.#child.connected) this.#child.send(request, () => {})
  }

  #take(answer: SideAnswer): void {
    if ('receiver' in answer) this.#progress(answer.receiver, answer.count)
    else if ('failed' in answer) this.#fail(new CommandError(answer.failed, answer.exitCode))
    else this.#settle?.resolve(answer)
  }

  #fail(error: Error): void {
    this.#settle?.reject(error)
  }
}
