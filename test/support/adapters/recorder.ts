import type { Topic, TransportHost } from 'rivulet'
import { DEFAULT_TIMEOUTS } from 'rivulet/adapter'

/** A host that writes down what it is called with. */
export class Recorder implements TransportHost {
  readonly hub = 'default'
  /** Short, so that a test of an adapter's own pings ends soon. */
  readonly timeouts = { ...DEFAULT_TIMEOUTS, dialMs: 2_000, idleMs: 1_000 }
  readonly frames: { topic: Topic; text: string }[] = []
  readonly watchedFrames: { topic: string; text: string }[] = []
  readonly errors: { topic: Topic | undefined; error: Error }[] = []
  readonly lefts: { topic: Topic | undefined; cause: Error }[] = []
  readonly downs: (Error | undefined)[] = []

  receive(topic: Topic, frame: Uint8Array | string): void {
    this.frames.push({ topic, text: typeof frame === 'string' ? frame : new TextDecoder().decode(frame) })
  }

  watched(topic: string, frame: Uint8Array | string): void {
    this.watchedFrames.push({
      topic,
      text: typeof frame === 'string' ? frame : new TextDecoder().decode(frame),
    })
  }

  down(cause?: Error): void {
    this.downs.push(cause)
  }

  error(topic: Topic | undefined, cause: Error): void {
    this.errors.push({ topic, error: cause })
  }

  left(topic: Topic | undefined, cause: Error): void {
    this.lefts.push({ topic, cause })
  }
}

export const POSITIONS = 'rivulet/fleet/positions' as Topic
export const ALARMS = 'rivulet/fleet/alarms' as Topic

/** Bounds a wait of a test without asserting how long it takes. */
export function within(ms = 20_000): AbortSignal {
  return AbortSignal.timeout(ms)
}

/** Gives what a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  try {
    await promise
  } catch (error) {
    return error as Error
  }
  throw new Error('The promise was expected to reject.')
}
