/** When a message was published: before the measuring, while it lasted, or as the last one of its stream. */
export const PHASE = Object.freeze({ warm: 0, timed: 1, end: 2 })

/** One of the phases. */
export type Phase = (typeof PHASE)[keyof typeof PHASE]

/** What a message of the bench carries. */
export interface BenchData {
  /** Its publisher's number for it, from 0, over all streams of that publisher. */
  readonly n: number
  /** When it was published: nanoseconds on the clock of the publisher's process. */
  readonly at: number
  readonly phase: Phase
  /** Fills it up to the size that is wanted. */
  readonly pad: string
}

/** The number, the time and their names take that much. */
export const SMALLEST_BYTES = 64
/** The most that a stream may be given. */
export const LARGEST_BYTES = 65_536

const DIGITS_OF_ZEROS = 2
const BARE_BYTES = JSON.stringify({ at: 0, n: 0, pad: '', phase: 0 }).length - DIGITS_OF_ZEROS
const NS_PER_MS = 1e6

/** Makes messages whose JSON has `sizeBytes` bytes. */
export function payloads(sizeBytes: number): (n: number, phase: Phase) => BenchData {
  const filling = 'x'.repeat(sizeBytes)
  return (n, phase) => {
    const at = nowNs()
    const taken = BARE_BYTES + String(at).length + String(n).length
    return { at, n, pad: filling.slice(0, Math.max(0, sizeBytes - taken)), phase }
  }
}

/** Tells the time of this process: whole nanoseconds since it began. */
export function nowNs(): number {
  return Math.round(performance.now() * NS_PER_MS)
}

/** Tells whether a message is one of the bench. */
export function isBenchData(data: unknown): data is BenchData {
  const { n, at, phase } = data as Partial<BenchData>
  return typeof n === 'number' && typeof at === 'number' && typeof phase === 'number'
}
