import { createHash } from 'node:crypto'

/**
 * Merges the frames that two links of one hub receive at the same time: each frame once, and none of the hub's own,
 * which one link delivers when they were sent over the other. Frames are identified by their bytes, since those of
 * other clients have no number. It records all frames, so it is used for a second or two only.
 */
export class Merge {
  /** The number of arrivals of each frame over each link. */
  readonly #counts = new Map<string, { old: number; new: number }>()
  readonly #own = new Set<string>()
  readonly #old: unknown

  /** `old`: the link that is being replaced. */
  constructor(old: unknown) {
    this.#old = old
  }

  /** Records a frame that the hub sends. */
  sent(topic: string, frame: Uint8Array | string): void {
    this.#own.add(keyOf('', topic, frame))
  }

  /** Returns whether to hand over a frame that a link has received. `kind`: the kind of join that it matched. */
  isFirst(link: unknown, kind: 'join' | 'watch', topic: string, frame: Uint8Array | string): boolean {
    if (this.#own.has(keyOf('', topic, frame))) return false
    const key = keyOf(kind, topic, frame)
    const counts = this.#counts.get(key) ?? { old: 0, new: 0 }
    this.#counts.set(key, counts)
    const [side, other] = link === this.#old ? (['old', 'new'] as const) : (['new', 'old'] as const)
    counts[side] += 1
    // The same bytes twice over one link are two frames; the other link delivers two as well.
    return counts[side] > counts[other]
  }
}

function keyOf(kind: string, topic: string, frame: Uint8Array | string): string {
  return createHash('sha256').update(`${kind}\n${topic}\n`).update(frame).digest('base64')
}
