import { ChildSide } from './child-side.ts'
import { type Load, ordersOf } from './load.ts'
import { LocalSide } from './local-side.ts'
import type { Contender, Side, SideReport } from './side-order.ts'

/** Events of a run. */
export interface RunEvents {
  /** All are connected. */
  readonly started: () => void
  /** A message has come, the first one. */
  readonly heard: () => void
}

/**
 * Runs a load once, and resolves to the report of each process. When `signal` aborts, it ends early and resolves to
 * the reports so far. Rejects when the broker is away or refuses.
 */
export async function runLoad(
  load: Load,
  contender: Contender,
  signal: AbortSignal,
  { started, heard }: RunEvents,
): Promise<SideReport[]> {
  const { here, children } = ordersOf(load, contender)
  let isHeard = false
  const progress = (receiver: string, count: number) => {
    local?.acknowledge(receiver, count)
    if (!isHeard) heard()
    isHeard = true
  }
  const local: Side | undefined = here && new LocalSide(here, signal, progress)
  const others = children.map((order) => new ChildSide(order, progress))
  const interrupt = () => {
    for (const other of others) other.interrupt()
  }
  signal.addEventListener('abort', interrupt)
  const sides: Side[] = [...others, ...(local ? [local] : [])]
  try {
    for (const side of sides) {
      signal.throwIfAborted()
      await side.open()
    }
    started()
    // Where one process publishes for all, the others only listen.
    await (local ? local.run() : Promise.all(others.map((other) => other.run())))
    return await Promise.all(sides.map((side) => side.finish()))
  } finally {
    signal.removeEventListener('abort', interrupt)
    for (const side of sides) side.stop()
  }
}
