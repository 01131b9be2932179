import { once } from 'node:events'
import { expect, onTestFinished } from 'vitest'
import type { Member, MemberOptions, StatusChange } from '../../../test/brokers/support/member.ts'
import { expectLaws } from '../../../test/support/ledger-laws.ts'
import { eventually } from '../../../test/support/live.ts'
import { startThread, type Thread } from './thread.ts'

type Act = Exclude<keyof Member, 'isOpen'>

type Answer =
  | { readonly change: StatusChange }
  | { readonly id: number; readonly value?: unknown; readonly error?: string }

interface Call {
  resolve(value: unknown): void
  reject(error: Error): void
}

/** The test's handle of a hub in its own thread. */
export class MemberThread {
  readonly name: string
  readonly #thread: Thread
  readonly #gate = new Int32Array(new SharedArrayBuffer(4))
  readonly #calls = new Map<number, Call>()
  readonly #statuses: string[] = []
  #lastId = 0

  constructor(name: string) {
    this.name = name
    this.#thread = startThread('member-thread-program.ts', { gate: this.#gate.buffer })
    this.#thread.worker.on('message', (answer: Answer) => this.#take(answer))
    this.#thread.worker.on('exit', (code) => this.#gone(`ended with ${code}`))
  }

  /** The number of times that its hub came up. */
  get rises(): number {
    return this.#statuses.filter((status) => status === 'up').length
  }

  /** Has the member act, and resolves to the outcome. */
  call<Name extends Act>(
    act: Name,
    ...args: Parameters<Member[Name]>
  ): Promise<Awaited<ReturnType<Member[Name]>>> {
    return this.#ask(act, args) as Promise<Awaited<ReturnType<Member[Name]>>>
  }

  /** Resolves when the thread is about to block, until it is released. */
  async block(): Promise<void> {
    Atomics.store(this.#gate, 0, 0)
    await this.#ask('blockUntilReleased', [])
  }

  release(): void {
    Atomics.store(this.#gate, 0, 1)
    Atomics.notify(this.#gate, 0)
  }

  /** Terminates the thread at any point. */
  async terminate(): Promise<void> {
    await this.#thread.worker.terminate()
  }

  /** Has the member close its hub, expects its ledger to be lawful, and the thread to end by itself. */
  async dismiss(): Promise<void> {
    const ledger = await this.call('close')
    expectLaws(ledger)
    expect(ledger).toMatchObject({ inFlight: 0, waiting: 0, subscribers: 0 })
    const exit = once(this.#thread.worker, 'exit')
    await this.#thread.worker.terminate()
    await exit
  }

  #ask(act: string, args: readonly unknown[]): Promise<unknown> {
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject })
      this.#thread.worker.postMessage({ id, act, args })
    })
  }

  #take(answer: Answer): void {
    if ('change' in answer) {
      this.#statuses.push(answer.change.status)
      return
    }
    const call = this.#calls.get(answer.id)
    this.#calls.delete(answer.id)
    if (answer.error === undefined) call?.resolve(answer.value)
    else call?.reject(new Error(`Member ${this.name}: ${answer.error}`))
  }

  #gone(how: string): void {
    const error = new Error(`Member ${this.name} ${how}.`)
    for (const call of this.#calls.values()) call.reject(error)
    this.#calls.clear()
  }
}

/** Starts a thread whose hub is ready on a bus; the test ends it. */
export async function member(name: string, options: Omit<MemberOptions, 'name'>): Promise<MemberThread> {
  const thread = new MemberThread(name)
  onTestFinished(() => thread.terminate())
  await thread.call('open', { name, ...options })
  return thread
}

/** Names a bus that no other test uses. */
export function freshBus(): string {
  return `threads:test-${crypto.randomUUID()}`
}

/** Waits until a member has received all of these numbers of another one. */
export async function hasHeard(
  to: MemberThread,
  from: MemberThread,
  numbers: readonly number[],
): Promise<void> {
  const missing = () => to.call('missing', from.name, numbers)
  await eventually(missing).toEqual([])
}
