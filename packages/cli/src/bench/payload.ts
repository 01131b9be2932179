/** The phase of a message's publish: warm-up, measurement, or the last message of its stream. */
export const PHASE = Object.freeze({ warm: 0, timed: 1, end: 2 })

/** One of the phases. */
export type Phase = (typeof PHASE)[keyof typeof PHASE]

/** The data of a message of the bench. */
export interface BenchData {
  /** Its publisher's number for it, from 0, over all streams of that publisher. */
  readonly n: number
  /** The time of its publish: nanoseconds on the clock of the publisher's process. */
  readonly at: number
  readonly phase: Phase
  /** Pads the message to its size. */
  readonly pad: string
}

/** The bytes of the number, the time and their names. */
export const SMALLEST_BYTES = 64
/** The largest `maxBytes` of a stream. */
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

/** Returns the time of this process: whole nanoseconds since its start. */
export function nowNs(): number {
  return Math.round(performance.now() * NS_PER_MS)
}

/** Returns whether a message is one of the bench. */
export function isBenchData(data: unknown): data is BenchData {
  const { n, at, phase } = data as Partial<BenchData>
  return typeof n === 'number' && typeof at === 'number' && typeof phase === 'number'
}
