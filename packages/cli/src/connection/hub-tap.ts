import type { Hub, Ledger, Tap, TapListener } from 'rivulet'

/** What of a ledger tells whether everything came. */
export type Intake = Pick<Ledger, 'missed' | 'reordered' | 'dropped'>

/**
 * Hears every stream of a hub. Resolves when the broker has confirmed it, or when `signal` aborts. Rejects when the broker
 * denies it or the transport can't.
 */
export async function tapOf(hub: Hub, listener: TapListener, signal: AbortSignal): Promise<Tap> {
  const tap = hub.tap(listener)
  const aborted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
  await Promise.race([tap.ready, aborted])
  return tap
}

/** Sums up what became of the messages of the streams that are wanted; of all, with what belongs to no stream. */
export function intakeOf(tap: Tap, isWanted: ((name: string) => boolean) | undefined): Intake {
  const { missed, reordered, dropped } = tap.ledger()
  if (isWanted === undefined) return { missed, reordered, dropped }
  const sum = { missed: 0, reordered: 0, dropped: mapped(dropped, () => 0) }
  for (const { name, ledger } of tap.streams()) {
    if (!isWanted(name)) continue
    sum.missed += ledger.missed
    sum.reordered += ledger.reordered
    sum.dropped = mapped(sum.dropped, (count, reason) => count + ledger.dropped[reason])
  }
  return sum
}

type Dropped = Ledger['dropped']

function mapped(dropped: Dropped, change: (count: number, reason: keyof Dropped) => number): Dropped {
  const entries = Object.entries(dropped) as [keyof Dropped, number][]
  return Object.fromEntries(entries.map(([reason, count]) => [reason, change(count, reason)])) as Dropped
}
