/**
 * An `AbortSignal`: the type in the platform's declarations (of the DOM, Node, a worker, …), or in a program without
 * such declarations the members that the library needs.
 */
export type PlatformSignal = typeof globalThis extends { AbortSignal: { prototype: infer Signal } }
  ? Signal
  : BareSignal

interface BareSignal {
  readonly aborted: boolean
  readonly reason: unknown
  throwIfAborted(): void
  addEventListener(type: 'abort', listener: () => void): void
  removeEventListener(type: 'abort', listener: () => void): void
}

/** An `AbortController`, in the same way. */
export interface PlatformController {
  readonly signal: PlatformSignal
  abort(reason?: unknown): void
}
