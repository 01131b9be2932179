import { type ChildProcess, fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundle } from './bundle.ts'
import type { FailedSeed, Hunt, HuntOptions } from './hunt.ts'
import { addUp } from './ledger-laws.ts'

const BATCH = 10

/** Seeds that one process runs one after the other. */
export interface Batch {
  readonly first: number
  readonly count: number
}

/** What came of a batch, as one process can send it to another. */
export interface BatchResult extends Omit<Hunt, 'reached'> {
  readonly first: number
  readonly reached: readonly (readonly [string, number])[]
}

/** What came of seeds that several processes ran. */
export interface BigHunt extends Hunt {
  /** All seeds below this one are done. */
  readonly next: number
}

/** Runs seeds on all cores, a process for each. */
export async function huntOnAllCores(first: number, count: number, options: HuntOptions): Promise<BigHunt> {
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-hunt-'))
  const program = join(folder, 'worker.mjs')
  try {
    await bundle(join(import.meta.dirname, 'hunt-worker.ts'), program)
    const hunting = new Hunting(first, count, options)
    const processes = Math.min(availableParallelism(), Math.ceil(count / BATCH))
    await Promise.all(Array.from({ length: processes }, () => hunting.runOn(fork(program))))
    return hunting.result()
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Hands batches to processes, and adds up what comes of them. */
class Hunting {
  readonly #first: number
  readonly #end: number
  readonly #options: HuntOptions
  /** The first seed that no process has been given. */
  #given: number
  #seeds = 0
  #virtualMs = 0
  readonly #reached = new Map<string, number>()
  readonly #failures: FailedSeed[] = []
  /** First seeds of batches that are done as a whole, which nobody waits for at their end. */
  readonly #whole = new Map<number, number>()

  constructor(first: number, count: number, options: HuntOptions) {
    this.#first = first
    this.#given = first
    this.#end = first + count
    this.#options = options
  }

  /** Lets a process run batches until there are none left; then it ends. */
  async runOn(child: ChildProcess): Promise<void> {
    const { signal } = this.#options
    const stop = () => child.connected && child.send('stop')
    signal?.addEventListener('abort', stop)
    try {
      while (!this.#isOver()) this.#take(await this.#ask(child))
    } finally {
      signal?.removeEventListener('abort', stop)
      child.disconnect()
    }
  }

  result(): BigHunt {
    let next = this.#first
    for (let count = this.#whole.get(next); count !== undefined; count = this.#whole.get(next)) next += count
    const failures = this.#failures.sort((one, other) => one.seed - other.seed)
    return { seeds: this.#seeds, virtualMs: this.#virtualMs, reached: this.#reached, failures, next }
  }

  #isOver(): boolean {
    const { signal, mostFailures = 10 } = this.#options
    return signal?.aborted || this.#failures.length >= mostFailures || this.#given >= this.#end
  }

  #ask(child: ChildProcess): Promise<BatchResult> {
    const first = this.#given
    const count = Math.min(BATCH, this.#end - first)
    this.#given += count
    return new Promise((resolve, reject) => {
      const died = (code: number) =>
        reject(new Error(`A process ended with ${code} in the seeds from ${first} on.`))
      child.once('exit', died)
      child.once('message', (result) => {
        child.off('exit', died)
        resolve(result as BatchResult)
      })
      child.send({ first, count } satisfies Batch)
    })
  }

  #take({ first, seeds, virtualMs, reached, failures }: BatchResult): void {
    if (first + seeds === this.#end || seeds === BATCH) this.#whole.set(first, seeds)
    this.#seeds += seeds
    this.#virtualMs += virtualMs
    this.#failures.push(...failures)
    addUp(this.#reached, Object.fromEntries(reached))
    this.#options.progressed?.(this.#seeds, this.#virtualMs)
  }
}
