/**
 * Runs actions when signals abort, with one abort listener a signal however many actions wait on it: 20 000
 * listeners on one signal take seconds to remove, and Node warns from the eleventh on.
 */
export class SignalActions {
  readonly #bySignal = new Map<AbortSignal, { actions: Set<() => void>; listener: () => void }>()

  /** Runs `action` once when `signal` aborts. Returns how to call that off. The signal has not aborted yet. */
  add(signal: AbortSignal, action: () => void): () => void {
    const { actions } = this.#bySignal.get(signal) ?? this.#listen(signal)
    actions.add(action)
    return () => {
      if (actions.delete(action) && actions.size === 0) this.#forget(signal)
    }
  }

  #listen(signal: AbortSignal): { actions: Set<() => void>; listener: () => void } {
    const actions = new Set<() => void>()
    const listener = () => {
      this.#forget(signal)
      for (const action of actions) action()
    }
    const entry = { actions, listener }
    this.#bySignal.set(signal, entry)
    signal.addEventListener('abort', listener)
    return entry
  }

  #forget(signal: AbortSignal): void {
    const entry = this.#bySignal.get(signal)
    if (entry === undefined) return
    this.#bySignal.delete(signal)
    signal.removeEventListener('abort', entry.listener)
  }
}
