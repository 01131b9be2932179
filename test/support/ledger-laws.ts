import assert from 'node:assert/strict'
import type { Ledger } from 'rivulet'

/** Asserts the laws of a ledger, and that no bucket is below zero. */
export function expectLaws(ledger: Ledger): void {
  const { attempts, accepted, conflated, waiting, local, confirmed, inFlight, unconfirmed } = ledger
  const note = JSON.stringify(ledger)
  assert.equal(attempts, accepted + sumOf(ledger.refused) + conflated + waiting, note)
  assert.equal(accepted, local + confirmed + inFlight + unconfirmed + sumOf(ledger.lost), note)
  assert.equal(ledger.received, ledger.delivered + sumOf(ledger.dropped), note)
  assert.ok(Math.min(...flatten(ledger).values()) >= 0, note)
}

/** Adds ledgers up, bucket by bucket. */
export function sumOfLedgers(ledgers: readonly Ledger[]): Map<string, number> {
  const sum = new Map<string, number>()
  for (const ledger of ledgers) {
    for (const [name, count] of flatten(ledger)) sum.set(name, (sum.get(name) ?? 0) + count)
  }
  return sum
}

/** Lays a ledger out flat: `refused.schema` and so on. */
export function flatten(ledger: object, prefix = ''): Map<string, number> {
  const flat = new Map<string, number>()
  for (const [name, value] of Object.entries(ledger)) {
    if (typeof value === 'number') flat.set(prefix + name, value)
    else for (const [inner, count] of flatten(value as object, `${prefix}${name}.`)) flat.set(inner, count)
  }
  return flat
}

function sumOf(buckets: object): number {
  return Object.values(buckets).reduce((sum: number, count: number) => sum + count, 0)
}
