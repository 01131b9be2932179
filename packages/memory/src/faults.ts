import type { ResolvedOptions } from './bus-options.ts'

/** The fate of one copy of a frame on its path to a receiver. */
export interface Copy {
  readonly delayMs: number
  /** Number of later frames of the same sender that overtake it; 0 keeps the order. */
  readonly overtakenBy: number
}

/** A frame and its receiver; the faults depend on these and the options only. */
export interface Route {
  /** Number of the sending transport on its bus. */
  readonly sender: number
  /** The index of the call of that transport's `send`, from 0. */
  readonly nth: number
  /** Number of the receiving transport on its bus. */
  readonly receiver: number
}

const MAX_OVERTAKEN_BY = 8
// The purposes of random numbers. Each copy of a frame draws its own, so the purposes of copies are two apart.
const LOSS = 0
const DUPLICATE = 1
const DELAY = 2
const REORDER = 4
const OVERTAKEN_BY = 6

/**
 * Draws the copies of a frame for a receiver: none when it is lost, two when it is duplicated. A pure function, so that
 * neither time nor other senders change a run.
 */
export function drawCopies(options: ResolvedOptions, route: Route): readonly Copy[] {
  if (happens(options.loss, options, route, LOSS)) return []
  const first = drawCopy(options, route, 0)
  return happens(options.duplicate, options, route, DUPLICATE)
    ? [first, drawCopy(options, route, 1)]
    : [first]
}

function drawCopy(options: ResolvedOptions, route: Route, copy: 0 | 1): Copy {
  const [minMs, maxMs] = options.delayMs
  const isReordered = happens(options.reorder, options, route, REORDER + copy)
  return {
    delayMs: maxMs === minMs ? minMs : minMs + (maxMs - minMs) * draw(options, route, DELAY + copy),
    overtakenBy: isReordered
      ? 1 + Math.floor(MAX_OVERTAKEN_BY * draw(options, route, OVERTAKEN_BY + copy))
      : 0,
  }
}

function happens(chance: number, options: ResolvedOptions, route: Route, purpose: number): boolean {
  return chance > 0 && draw(options, route, purpose) < chance
}

// MurmurHash3, 32 bits (Appleby, smhasher/src/MurmurHash3.cpp): each word mixed in, then the finalizer.
function draw({ seed }: ResolvedOptions, { sender, nth, receiver }: Route, purpose: number): number {
  let hash = mixIn(mixIn(mixIn(mixIn(seed, sender), nth), receiver), purpose)
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
