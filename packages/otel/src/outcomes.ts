import type { Ledger } from 'rivulet'

/** Counts by outcome, named as in the ledger: `confirmed`, `lost.offline`, … */
export type Outcomes = Readonly<Record<string, number>>

/**
 * Returns the outcomes of attempts, none of which ever decreases. Pending attempts are in `inFlight` and `waiting`;
 * together the sum is `attempts`.
 */
export function publishedOutcomes(ledger: Ledger): Outcomes {
  const { local, confirmed, unconfirmed, conflated, lost, refused } = ledger
  return {
    local,
    confirmed,
    unconfirmed,
    conflated,
    ...grouped('lost', lost),
    ...grouped('refused', refused),
  }
}

/** Returns the outcomes of received messages, none of which ever decreases; the sum is `received`. */
export function receivedOutcomes({ delivered, dropped }: Ledger): Outcomes {
  return { delivered, ...grouped('dropped', dropped) }
}

function grouped(group: string, counts: Readonly<Record<string, number>>): Outcomes {
  return Object.fromEntries(Object.entries(counts).map(([name, count]) => [`${group}.${name}`, count]))
}
