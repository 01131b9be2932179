import { countText } from '../base/count-text.ts'
import { EXIT, type ExitCode } from '../base/exit-code.ts'
import type { Intake } from '../connection/hub-tap.ts'

/** Drops without a loss: a repeated message, or the hub's own. */
const HARMLESS: readonly string[] = ['duplicate', 'echo', 'notJoined']

/** The number of missed messages of a stream, and since when: see its event `gap`. */
export interface Gap {
  readonly stream: string
  readonly missed: number
  /** A date in milliseconds. */
  readonly sinceMs: number
}

/** Reports missed messages; for JSON, with the date in the form of the event. */
export function gapSentenceOf({ stream, missed, sinceMs }: Gap, isJson: boolean): string {
  const since = new Date(sinceMs).toISOString()
  if (isJson) return JSON.stringify({ gap: { missed, since }, stream })
  if (missed === 0) return `The stream ${stream} was interrupted; messages since ${since} may be missing.`
  return `The stream ${stream} was interrupted; missing since ${since}: ${countText(missed, 'message')}.`
}

/** Summarizes the received messages: `received 12, 1 missed, 2 dropped (schema)`. */
export function sentenceOf(received: number, ledger: Intake): string {
  const { missed, missedAway = 0, reordered } = ledger
  const dropped = Object.entries(ledger.dropped).filter(([, count]) => count > 0)
  return [
    `received ${received}`,
    `${missed} missed`,
    ...(missedAway > 0 ? [`${missedAway} missed while away`] : []),
    ...(reordered > 0 ? [`${reordered} reordered`] : []),
    ...dropped.map(([reason, count]) => `${count} dropped (${reason})`),
  ].join(', ')
}

/**
 * Returns 1 when messages were missed or dropped, or fewer arrived than requested; else 2 when some did not match the
 * schema.
 */
export function exitCodeOf(ledger: Intake, isComplete: boolean): ExitCode {
  const { schema, ...dropped } = ledger.dropped
  const lost = Object.entries(dropped).filter(([reason]) => !HARMLESS.includes(reason))
  const isLost = ledger.missed + (ledger.missedAway ?? 0) > 0 || lost.some(([, count]) => count > 0)
  if (isLost || !isComplete) return EXIT.failed
  return schema > 0 ? EXIT.refused : EXIT.fine
}
