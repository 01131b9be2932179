import { memoryBus } from '@rivulet/memory'
import type { Capabilities, Transport } from 'rivulet'
import { drawPlan, type Plan } from './plan.ts'
import { type RunOptions, run } from './run.ts'

/** Characters of a value. */
const MOST_SHOWN = 80

/** How many steps were compared, and where the two first differ, as a text, if they do. */
export interface Comparison {
  readonly steps: number
  readonly difference: string | undefined
}

/** Runs the scenario of a seed over a transport and over the memory bus, and compares what every hub shows at each step. */
export async function compare(
  seed: number,
  connect: () => Transport | Promise<Transport>,
  options: RunOptions = {},
): Promise<Comparison> {
  const plan = drawPlan(seed)
  const { shown, claims } = await run(plan, connect, options)
  const reference = referenceFor(claims)
  const expected = await run(plan, reference, { ...options, claims })
  for (const [at, step] of shown.entries()) {
    const differences = differencesOf(step, expected.shown[at])
    const difference = [`Seed ${seed}: ${nameOf(plan, at)}`, ...differences].join('\n  ')
    if (differences.length > 0) return { steps: at, difference }
  }
  return { steps: plan.steps.length, difference: undefined }
}

function nameOf({ steps, streams }: Plan, at: number): string {
  const step = steps[at]
  if (step === undefined) return 'the closed hubs'
  return `step ${at + 1} of ${steps.length}, on a stream that is ${streams[step.stream]?.temper}: ${JSON.stringify(step)}`
}

function differencesOf(there: unknown, here: unknown): string[] {
  const [seen, expected] = [flat(there), flat(here)]
  const paths = [...new Set([...seen.keys(), ...expected.keys()])]
  const shown = (value: unknown) => String(value ?? 'nothing').slice(0, MOST_SHOWN)
  return paths
    .filter((path) => seen.get(path) !== expected.get(path))
    .map((path) => `${path}: ${shown(seen.get(path))}, over memory ${shown(expected.get(path))}`)
}

/**
 * Gives a bus that does what a transport claims: it hands own frames back or does not, and the core asks it for the same
 * largest frame and the same watch. All that differs between transports by design is in here.
 */
function referenceFor({ echoes, ordered }: Capabilities): () => Transport {
  if (!ordered)
    throw new Error('What a limit drops and where a removal comes is not determined without order.')
  const bus = memoryBus({ echoes, maxFrameBytes: Infinity })
  return () => bus.transport()
}

type Flat = Map<string, unknown>

function flat(value: unknown, path = '', into: Flat = new Map()): Flat {
  if (typeof value !== 'object' || value === null) return into.set(path, value)
  for (const [name, inner] of Object.entries(value))
    flat(inner, path === '' ? name : `${path} › ${name}`, into)
  return into
}
