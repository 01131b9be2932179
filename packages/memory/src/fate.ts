import type { ResolvedOptions } from './bus-options.ts'

/** One way of a frame to one receiver. */
export interface Passage {
  readonly delayMs: number
  /** How many later frames of the same sender go first; 0 keeps the place. */
  readonly letsPass: number
}

/** Which frame goes to whom: all that a fate depends on beside the options. */
export interface Leg {
  /** Number of the sending transport on its bus. */
  readonly sender: number
  /** Which call of that transport's `send`, from 0. */
  readonly nth: number
  /** Number of the receiving transport on its bus. */
  readonly receiver: number
}

const MAX_LETS_PASS = 8
const LOSS = 0
const DUPLICATE = 1
// Each copy of a frame draws for itself.
const DELAY = [2, 3] as const
const REORDER = [4, 5] as const
const LETS_PASS = [6, 7] as const

/**
 * Draws what happens to a frame on its way to one receiver: no passage when it is lost, two when it is doubled.
 * A function of its arguments alone, so that neither time nor other senders change a run.
 */
export function drawFate(options: ResolvedOptions, leg: Leg): readonly Passage[] {
  if (chance(options, leg, LOSS) < options.loss) return []
  const first = drawPassage(options, leg, 0)
  if (chance(options, leg, DUPLICATE) >= options.duplicate) return [first]
  return [first, drawPassage(options, leg, 1)]
}

function drawPassage(options: ResolvedOptions, leg: Leg, copy: 0 | 1): Passage {
  const [minMs, maxMs] = options.delayMs
  const isHeldBack = chance(options, leg, REORDER[copy]) < options.reorder
  return {
    delayMs: minMs + (maxMs - minMs) * chance(options, leg, DELAY[copy]),
    letsPass: isHeldBack ? 1 + Math.floor(MAX_LETS_PASS * chance(options, leg, LETS_PASS[copy])) : 0,
  }
}

// MurmurHash3, 32 bits (Appleby, smhasher/src/MurmurHash3.cpp): each word mixed in, then the finalizer.
function chance(options: ResolvedOptions, leg: Leg, purpose: number): number {
  let hash = options.seed
  hash = mixIn(hash, leg.sender)
  hash = mixIn(hash, leg.nth)
  hash = mixIn(hash, leg.receiver)
  hash = mixIn(hash, purpose)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
}

function mixIn(hash: number, value: number): number {
  const word = Math.imul(rotateLeft(Math.imul(value, 0xcc9e2d51), 15), 0x1b873593)
  return (Math.imul(rotateLeft(hash ^ word, 13), 5) + 0xe6546b64) | 0
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}
