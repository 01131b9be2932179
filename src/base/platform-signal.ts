/**
 * An `AbortSignal`: the type that the platform's declarations have for it (of the DOM, Node, a worker, …), and what the
 * library needs of one where a program has no such declarations.
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
