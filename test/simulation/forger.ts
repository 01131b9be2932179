import type { Chance } from './chance.ts'
import type { Forged } from './forgeries.ts'
import { type Named, sidOf } from './wire.ts'

/** What the data of a forged message holds in place of a number of the workload. */
const FORGED_N = -4
const LAST_NUMBER = 2 ** 53 - 1

/** A frame in the name of a hub, and what is in it. */
export interface ForgedFrame {
  readonly text: string
  readonly forged: readonly Forged[]
}

/** Makes frames in the name of a publisher, of which one message was overheard: other numbers, other times. */
export function forgeFrames(chance: Chance, model: Named): ForgedFrame[] {
  const kind = chance.pick(NUMBERS)
  const tMs = chance.pick([
    model.tMs,
    model.tMs,
    model.tMs,
    Math.max(0, model.tMs - 3_000),
    0,
    undefined,
    model.tMs + 1_000,
    model.tMs + 1_000_000,
    1e300,
  ])
  const numbers = kind(chance, model.sequence)
  const entries = numbers.map((number) => ({
    ...model,
    sequence: number,
    sid: sidOf(model.origin, number),
    tMs,
  }))
  const isBad = chance.isHit(0.3)
  const textOf = (entry: Forged) => messageText(entry, isBad)
  const isRemoval = numbers.length === 1 && chance.isHit(0.2)
  const isOneFrame = numbers.length > 1 && chance.isHit(0.5)
  if (isOneFrame) return [{ text: `[${entries.map(textOf).join(',')}]`, forged: entries }]
  return entries.map((entry) => ({
    text: isRemoval ? removalText(entry) : textOf(entry),
    forged: [entry],
  }))
}

/** Which numbers are forged, given one that the publisher has used. */
const NUMBERS: readonly ((chance: Chance, number: number) => number[])[] = [
  (_, number) => [number],
  (chance, number) => [Math.max(1, number - chance.between(1, 40))],
  (chance, number) => runFrom(number + 1, chance.pick([1, 3, 50]), 1),
  (chance, number) => [number + chance.between(2, 1_000)],
  (chance, number) => [number + chance.between(1_024, 65_536)],
  (chance, number) => [number + chance.between(65_537, 1_000_000_000)],
  (chance, number) => runFrom(number + chance.between(65_537, 1_000_000_000), 5, chance.between(1, 100)),
  () => [LAST_NUMBER],
]

function runFrom(first: number, count: number, step: number): number[] {
  return Array.from({ length: count }, (_, index) => first + index * step)
}

function messageText({ sid, tMs }: Forged, isBad: boolean): string {
  return JSON.stringify({ data: { depth: 9, isBad, isChecked: true, n: FORGED_N }, sid, t: tMs })
}

function removalText({ sid, tMs }: Forged): string {
  return JSON.stringify({ removed: true, sid, t: tMs })
}
