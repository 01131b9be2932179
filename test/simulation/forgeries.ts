import type { Topic } from 'rivulet'
import type { Named } from './wire.ts'

/** Numbers that were forged ahead: more of them mute a slow publisher for longer than a simulation waits. */
const FEW = 3

/** A message, or a removal, that somebody sends in the name of a hub. */
export interface Forged extends Pick<Named, 'sid' | 'origin' | 'sequence'> {
  readonly tMs: number | undefined
}

/** What was forged in the name of one publisher. */
interface ForgedOf {
  readonly topic: Topic
  /** How many numbers that it had not given yet. */
  ahead: number
  /** Whether one came with a time that had not come yet. */
  isOfFuture: boolean
}

/** Everything that intruders have forged in the name of hubs. */
export class Forgeries {
  readonly #sids = new Set<string>()
  readonly #byOrigin = new Map<string, ForgedOf>()

  /** Notes a forgery; `model` is what the intruder had overheard. */
  add(topic: Topic, { sid, origin, sequence, tMs }: Forged, model: Named): void {
    const of = this.#byOrigin.get(origin) ?? { topic, ahead: 0, isOfFuture: false }
    this.#byOrigin.set(origin, of)
    this.#sids.add(sid)
    if (sequence > model.sequence) of.ahead++
    if (tMs !== undefined && tMs > model.tMs) of.isOfFuture = true
  }

  get areThere(): boolean {
    return this.#sids.size > 0
  }

  has(sid: string): boolean {
    return this.#sids.has(sid)
  }

  /**
   * Returns the origins that are muted for longer than a minute, which the documents say of them: those whose age is
   * not judged, and, where `areClocksWrong` or times were forged, those of which many numbers were forged ahead.
   */
  mutedForLong(isAgeJudged: (topic: Topic) => boolean, areClocksWrong: boolean): string[] {
    return [...this.#byOrigin].flatMap(([origin, { topic, ahead, isOfFuture }]) => {
      const isLong = !isAgeJudged(topic) || (ahead > FEW && (isOfFuture || areClocksWrong))
      return isLong ? [origin] : []
    })
  }
}
