import { type Hub, type Ledger, RivuletError, type Tap, type TapListener } from 'rivulet'
import { tapHub } from 'rivulet/tap'
import type { CommonOptions } from '../base/common-options.ts'
import { CommandError, EXIT, type ExitCode } from '../base/exit-code.ts'
import type { Run } from '../base/perform.ts'
import { until } from '../base/until.ts'
import { withHub } from './hub-of.ts'

/** The counts of a ledger that show whether everything arrived. */
export type Intake = Pick<Ledger, 'missed' | 'reordered' | 'dropped'> & Partial<Pick<Ledger, 'missedAway'>>

/**
 * Opens a hub as `withHub` does, taps all of its streams, and passes both to `work` once the broker has confirmed the
 * tap, or the run was interrupted. Rejects when the broker denies it or the transport can't watch.
 */
export function withTap<Result>(
  run: Run,
  options: CommonOptions,
  listener: TapListener,
  work: (hub: Hub, tap: Tap) => Promise<Result>,
): Promise<Result> {
  let isReady = false
  return withHub(run, options, { reportsErrors: () => !isReady }, async (hub) => {
    const tap = tapHub(hub, listener)
    await Promise.race([tap.ready, until(run.signal)]).catch((error) => {
      throw denied(hub, error)
    })
    isReady = true
    return work(hub, tap)
  })
}

/** Makes the error of a denied watch. The core would try again; a command reports the reason and ends. */
function denied({ name }: Hub, error: unknown): unknown {
  if (!RivuletError.is(error) || error.code === 'HUB_CLOSED') return error
  const reason = error.cause instanceof Error ? error.cause.message : error.message
  return new CommandError(`Hub ${name} can't be watched: ${reason}`, EXIT.refused, error)
}

/**
 * Sums the counts of the selected streams. Without `isWanted`: of the whole tap, including frames of no stream.
 * `notJoined` is always that of the whole tap, since the names of streams that it did not follow are not known.
 */
export function intakeOf(
  tap: Pick<Tap, 'ledger' | 'streams'>,
  isWanted: ((name: string) => boolean) | undefined,
): Intake {
  const { missed, reordered, dropped } = tap.ledger()
  if (isWanted === undefined) return { missed, reordered, dropped }
  const sum = { missed: 0, reordered: 0, dropped: mapped(dropped, () => 0) }
  for (const { name, ledger } of tap.streams()) {
    if (!isWanted(name)) continue
    sum.missed += ledger.missed
    sum.reordered += ledger.reordered
    sum.dropped = mapped(sum.dropped, (count, reason) => count + ledger.dropped[reason])
  }
  return { ...sum, dropped: { ...sum.dropped, notJoined: dropped.notJoined } }
}

/** Returns 1 when frames were dropped because the tap did not follow their streams, else 0. */
export function exitCodeOfTap({ dropped }: Intake): ExitCode {
  return dropped.notJoined > 0 ? EXIT.failed : EXIT.fine
}

type Dropped = Ledger['dropped']

function mapped(dropped: Dropped, change: (count: number, reason: keyof Dropped) => number): Dropped {
  const entries = Object.entries(dropped) as [keyof Dropped, number][]
  return Object.fromEntries(entries.map(([reason, count]) => [reason, change(count, reason)])) as Dropped
}
