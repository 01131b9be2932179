import { setTimeout as sleep } from 'node:timers/promises'

/** Stands for what an application keeps of a request while it runs. */
export interface RequestStore {
  readonly name: string
}

/**
 * Gives the names of the stores that are still there, but for those that may be, once no more of them go, which takes some
 * turns. Needs `--expose-gc`.
 */
export async function namesOfKept(
  stores: readonly WeakRef<RequestStore>[],
  mayBeThere: (name: string) => boolean = () => false,
): Promise<string[]> {
  let kept: string[] = []
  for (let looks = 0; looks < 100; looks++) {
    await sleep(20) // what was looked at stays until the turn ends
    globalThis.gc?.()
    const names = stores.map((store) => store.deref()?.name).filter((name) => name !== undefined)
    kept = names.filter((name) => !mayBeThere(name))
    if (kept.length === 0) break
  }
  return kept
}
