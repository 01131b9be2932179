import type { Ledger } from 'rivulet'
import { EXIT, type ExitCode } from '../base/exit-code.ts'
import { sumOf } from '../base/sum.ts'

/** The outcomes of all messages of a command. */
export interface PubOutcome {
  /** The number of texts that were not JSON. */
  readonly unreadable: number
  readonly ledger: Ledger
}

/** Summarizes the outcomes in one line: `published 3: 2 confirmed, 1 lost (offline)`. */
export function sentenceOf({ unreadable, ledger }: PubOutcome): string {
  const { accepted, confirmed, local, unconfirmed, lost, refused, conflated } = ledger
  const parts = [
    counted(confirmed, 'confirmed'),
    counted(local, 'local'),
    counted(unconfirmed, 'unconfirmed'),
    groupOf(lost, 'lost'),
    groupOf({ ...refused, ...(unreadable > 0 && { notJson: unreadable }) }, 'refused'),
    counted(conflated, 'conflated'),
  ].filter((part) => part !== '')
  return `published ${accepted}${parts.length === 0 ? '' : `: ${parts.join(', ')}`}`
}

/** Returns 1 when a message was lost or unconfirmed, else 2 when one was refused, else 0. */
export function exitCodeOf({ unreadable, ledger }: PubOutcome, isInterrupted: boolean): ExitCode {
  if (ledger.confirmed + ledger.local !== ledger.accepted) return EXIT.failed
  const { aborted, closed, ...refused } = ledger.refused
  // An interruption cancels queued messages, which is no refusal.
  const givenUp = isInterrupted ? 0 : aborted + closed
  return sumOf(Object.values(refused)) + givenUp + unreadable > 0 ? EXIT.refused : EXIT.fine
}

function counted(count: number, what: string): string {
  return count === 0 ? '' : `${count} ${what}`
}

function groupOf(counts: Readonly<Record<string, number>>, what: string): string {
  const reasons = Object.entries(counts).filter(([, count]) => count > 0)
  const shown = reasons.map(([reason, count]) => (reasons.length === 1 ? reason : `${count} ${reason}`))
  return reasons.length === 0 ? '' : `${sumOf(Object.values(counts))} ${what} (${shown.join(', ')})`
}
