import type { PlatformSignal } from './platform-signal.ts'

/**
 * Runs actions when signals abort, with one abort listener for each signal, whatever its number of actions: 20 000
 * listeners on one signal take seconds to remove, and Node warns from the eleventh on.
 */
export class SignalActions {
  readonly #bySignal = new Map<PlatformSignal, { actions: Set<() => void>; forget: () => void }>()

  /** Runs `action` once when `signal` aborts. Returns a function that cancels this. The signal has not aborted yet. */
  add(signal: PlatformSignal, action: () => void): () => void {
    const { actions, forget } = this.#bySignal.get(signal) ?? this.#listen(signal)
    actions.add(action)
    return () => {
      if (actions.delete(action) && actions.size === 0) forget()
    }
  }

  #listen(signal: PlatformSignal): { actions: Set<() => void>; forget: () => void } {
    const actions = new Set<() => void>()
    const forget = () => {
      this.#bySignal.delete(signal)
      signal.removeEventListener('abort', abort)
    }
    const abort = () => {
      forget()
      for (const action of actions) action()
    }
    const entry = { actions, forget }
    signal.addEventListener('abort', abort)
    this.#bySignal.set(signal, entry)
    return entry
  }
}
