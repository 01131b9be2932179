import type { MemoryBusOptions } from '@rivulet/memory'
import type { StreamOptions } from 'rivulet'
import { Chance } from './chance.ts'
import { FAULTS, type FaultKind, LATER_FAULTS } from './faults.ts'
import { drawStreamOptions } from './stream-options.ts'
import { type Verb, WORKLOAD } from './workload.ts'

/** One thing that a program does or that goes wrong, with a seed for its details. */
export interface Step {
  readonly atMs: number
  readonly site: number
  readonly what: { readonly verb: Verb } | { readonly fault: FaultKind }
  readonly seed: number
}

/** Everything that a seed decides beforehand. Steps can be left out of it: each stands on its own. */
export interface Plan {
  readonly seed: number
  readonly latenciesMs: readonly number[]
  readonly acceptsRemoval: readonly boolean[]
  readonly streams: ReadonlyMap<string, StreamOptions>
  readonly bus: MemoryBusOptions
  readonly maxInFlightBytes: number
  /** The kinds of faults that may show. */
  readonly faults: ReadonlySet<FaultKind>
  readonly durationMs: number
  readonly steps: readonly Step[]
}

/** Tells the chance of what came later from that of all before. */
const LATER = 27
const NAMES = ['positions', 'a/b #+*', '__proto__', 'météo']

/** Draws what happens in the simulation of a seed. */
export function drawPlan(seed: number): Plan {
  const chance = new Chance(seed)
  const sites = chance.between(3, chance.pick([3, 4, 5, 8]))
  const faults = new Set(chance.isHit(0.1) ? [] : FAULTS.filter(() => chance.isHit(0.5)))
  const names = NAMES.slice(0, chance.between(1, NAMES.length))
  const durationMs = chance.pick([20_000, 60_000, 120_000, 300_000])
  const later = new Chance(seed, LATER)
  const laterFaults = LATER_FAULTS.filter(() => later.isHit(0.25))
  return {
    seed,
    latenciesMs: Array.from({ length: sites }, () => chance.pick([0, 1, 5, 40])),
    acceptsRemoval: Array.from({ length: sites }, () => chance.isHit(0.8)),
    streams: new Map(names.map((name) => [name, drawStreamOptions(chance)])),
    bus: drawBus(chance),
    maxInFlightBytes: chance.pick([8 * 1024 * 1024, 8 * 1024 * 1024, 5_000]),
    durationMs,
    ...withLater(drawSteps(chance, sites, durationMs, [...faults]), faults, laterFaults, later, {
      sites,
      durationMs,
    }),
  }
}

/** Whether frames of one publisher can't overtake each other, or come again, on this network. */
export function isOrdered({ bus, faults }: Plan): boolean {
  const overtakes = ['detours', 'intruders', 'forgery', 'duplication'] as const
  return bus.reorder === 0 && bus.delayMs?.[1] === 0 && !overtakes.some((kind) => faults.has(kind))
}

/** Whether somebody sends what no hub would. */
export function hasIntruders({ faults }: Plan): boolean {
  return faults.has('intruders') || faults.has('forgery') || faults.has('crowd')
}

/** Adds a few faults of the kinds that came later. */
function withLater(
  steps: readonly Step[],
  faults: ReadonlySet<FaultKind>,
  laterFaults: readonly FaultKind[],
  chance: Chance,
  { sites, durationMs }: { readonly sites: number; readonly durationMs: number },
): Pick<Plan, 'faults' | 'steps'> {
  const added = laterFaults.flatMap((fault) =>
    Array.from({ length: chance.between(1, 6) }, (): Step => {
      const atMs = chance.below(durationMs)
      return { atMs, site: chance.below(sites), what: { fault }, seed: chance.seed() }
    }),
  )
  const all = [...steps, ...added].sort((one, other) => one.atMs - other.atMs)
  return { faults: new Set([...faults, ...laterFaults]), steps: all }
}

function drawBus(chance: Chance): MemoryBusOptions {
  return {
    seed: chance.seed(),
    duplicate: chance.pick([0, 0, 0.02]),
    reorder: chance.pick([0, 0, 0.05]),
    delayMs: chance.pick([
      [0, 0],
      [0, 0],
      [0, 20],
      [0, 700],
    ]),
    echoes: chance.isHit(0.3),
    maxFrameBytes: chance.pick([1_048_576, 1_048_576, 700]),
  }
}

function drawSteps(chance: Chance, sites: number, durationMs: number, faults: readonly FaultKind[]): Step[] {
  const steps: Step[] = []
  const step = (atMs: number, what: Step['what']) =>
    steps.push({ atMs: Math.floor(atMs), site: chance.below(sites), what, seed: chance.seed() })
  // Most hubs have somebody who listens from the start.
  for (let count = 2 * sites; count > 0; count--) step(chance.below(3_000), { verb: 'subscribe' })
  const many = chance.between(20, 100)
  const faulty = faults.length === 0 ? 0 : chance.pick([0.1, 0.25, 0.5])
  let atMs = 0
  for (let nth = 0; nth < many; nth++) {
    // Things come in clusters: what one fault leaves behind meets the next.
    atMs = chance.isHit(0.3)
      ? chance.below(durationMs)
      : Math.min(durationMs, atMs + chance.pick([0, 1, 30, 600]))
    step(
      atMs,
      chance.isHit(faulty) ? { fault: chance.pick(faults) } : { verb: chance.pickWeighted(WORKLOAD) },
    )
  }
  return steps.sort((one, other) => one.atMs - other.atMs)
}
