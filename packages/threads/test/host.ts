import type { Topic, TransportHost } from 'rivulet'

/** A signal that never aborts. */
export const endless = new AbortController().signal

/** A host that records its calls. */
export interface KeepingHost extends TransportHost {
  readonly frames: [Topic, Uint8Array | string][]
  readonly errors: Error[]
  readonly downs: (Error | undefined)[]
}

/** Makes a host for one `open`. */
export function host(): KeepingHost {
  const kept: Pick<KeepingHost, 'frames' | 'errors' | 'downs'> = { frames: [], errors: [], downs: [] }
  return {
    hub: 'default',
    ...kept,
    watched: () => {},
    receive: (topic, frame) => kept.frames.push([topic, frame]),
    error: (_topic, cause) => kept.errors.push(cause),
    down: (cause) => kept.downs.push(cause),
    left: () => {},
  }
}
