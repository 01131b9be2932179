import { EXIT, type ExitCode } from '../base/exit-code.ts'
import type { Intake } from '../connection/hub-tap.ts'

/** Drops that lose nothing: a message that came twice, or the hub's own. */
const HARMLESS: readonly string[] = ['duplicate', 'echo', 'notJoined']

/** Says what came and what did not: `received 12, 1 missed, 2 dropped (schema)`. */
export function sentenceOf(received: number, ledger: Intake): string {
  const { missed, reordered } = ledger
  const dropped = Object.entries(ledger.dropped).filter(([, count]) => count > 0)
  return [
    `received ${received}`,
    `${missed} missed`,
    ...(reordered > 0 ? [`${reordered} reordered`] : []),
    ...dropped.map(([reason, count]) => `${count} dropped (${reason})`),
  ].join(', ')
}

/**
 * Gives 1 when messages were missed or dropped, or fewer came than were asked for; else 2 when some did not fit the
 * schema.
 */
export function exitCodeOf(ledger: Intake, isComplete: boolean): ExitCode {
  const { schema, ...dropped } = ledger.dropped
  const lost = Object.entries(dropped).filter(([reason]) => !HARMLESS.includes(reason))
  const isLost = ledger.missed > 0 || lost.some(([, count]) => count > 0)
  if (isLost || !isComplete) return EXIT.failed
  return schema > 0 ? EXIT.refused : EXIT.fine
}
