import { ChildBenchProcess } from './child-process.ts'
import { type Load, ordersOf } from './load.ts'
import { LocalBenchProcess } from './local-process.ts'
import type { BenchProcess, Contender, ProcessReport } from './process-order.ts'

/** Events of a run. */
export interface RunEvents {
  /** All clients are connected. */
  readonly started: () => void
  /** The first message has arrived. */
  readonly heard: () => void
}

/**
 * Runs a load once, and resolves to the report of each process. Ends early when `signal` aborts, with the reports so
 * far. Rejects when the broker is unavailable or refuses.
 */
export async function runLoad(
  load: Load,
  contender: Contender,
  signal: AbortSignal,
  { started, heard }: RunEvents,
): Promise<ProcessReport[]> {
  const { here, children } = ordersOf(load, contender)
  let isHeard = false
  const progress = (receiver: string, count: number) => {
    local?.acknowledge(receiver, count)
    if (!isHeard) heard()
    isHeard = true
  }
  const local: BenchProcess | undefined = here && new LocalBenchProcess(here, signal, progress)
  const others = children.map((order) => new ChildBenchProcess(order, progress))
  const interrupt = () => {
    for (const other of others) other.interrupt()
  }
  signal.addEventListener('abort', interrupt)
  const processes: BenchProcess[] = [...others, ...(local ? [local] : [])]
  try {
    for (const part of processes) {
      signal.throwIfAborted()
      await part.open()
    }
    started()
    // If one process publishes for all, the others only receive.
    await (local ? local.run() : Promise.all(others.map((other) => other.run())))
    return await Promise.all(processes.map((part) => part.finish()))
  } finally {
    signal.removeEventListener('abort', interrupt)
    for (const part of processes) part.stop()
  }
}
