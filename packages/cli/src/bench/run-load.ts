import { ChildSide } from './child-side.ts'
import { type Load, ordersOf } from './load.ts'
import { LocalSide } from './local-side.ts'
import type { Contender, Side, SideReport } from './side-order.ts'

/**
 * Runs a load once, and resolves to what each process has seen. `started` is called when all are connected. When
 * `signal` aborts, it ends early and resolves to what there is. Rejects when the broker is away or refuses.
 */
export async function runLoad(
  load: Load,
  contender: Contender,
  signal: AbortSignal,
  started: () => void,
): Promise<SideReport[]> {
  const { here, children } = ordersOf(load, contender)
  const progress = (receiver: string, count: number) => local?.acknowledge(receiver, count)
  const local = here && new LocalSide(here, signal, () => {})
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
