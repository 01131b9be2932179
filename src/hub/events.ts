import { Events } from '../base/events.ts'
import type { Turns } from '../base/turns.ts'
import type { ConnectionStatus } from '../connection/joins.ts'
import { messageOf, RivuletError } from '../errors/errors.ts'
import { log } from '../errors/report.ts'
import type { Counters } from '../state/ledger.ts'
import type { StreamEvents } from '../state/stream-events.ts'

/** The connection status; `local` when the hub has no transport. */
export type HubStatus = 'local' | ConnectionStatus

/** A hub's events, with the payload of each. */
export interface HubEvents {
  /**
   * The connection status changed. The second argument of the listener has the attempts to connect that failed since it
   * was up.
   */
  status: HubStatus
  /** An error of the connection, or of a stream that has no listener for its own `error`. */
  error: RivuletError
  /** A stream was removed or expired. */
  streamRemoved: StreamEvents['removed'] & { readonly name: string }
}

/** The second argument of a listener of `status`. */
export interface StatusDetail {
  /** Attempts to connect that failed since the connection was up. */
  readonly failedAttempts: number
}

export type HubListener<Name extends keyof HubEvents> = (
  payload: HubEvents[Name],
  detail: StatusDetail,
) => unknown

export const HUB_EVENTS: readonly (keyof HubEvents)[] = ['status', 'error', 'streamRemoved']

/** Calls the listeners of a hub's events. An error without a listener goes to the console, once for each code. */
export class HubListeners {
  readonly #hub: string
  readonly #totals: Counters
  readonly #turns: Turns
  readonly #events = new Events<HubEvents>((...thrown) => this.#listenerFailed(...thrown))
  readonly #logged = new Set<string>()

  constructor(hub: string, totals: Counters, turns: Turns) {
    this.#hub = hub
    this.#totals = totals
    this.#turns = turns
  }

  add(event: keyof HubEvents, listener: HubListener<never>, isOnce: boolean): void {
    this.#events.on(event, listener as (payload: never, detail: never) => unknown, isOnce)
  }

  remove<Name extends keyof HubEvents>(event: Name, listener: HubListener<Name>): void {
    this.#events.off(event, listener)
  }

  clear(): void {
    this.#events.clear()
  }

  emitStatus(status: HubStatus, detail: StatusDetail): void {
    this.#events.emit('status', status, detail)
  }

  emitRemoved(removed: HubEvents['streamRemoved']): void {
    this.#events.emit('streamRemoved', removed)
  }

  /** Reports an error to the listeners; returns false when there are none. */
  report(error: RivuletError): boolean {
    if (!this.#events.has('error')) return false
    this.#events.emit('error', error)
    return true
  }

  /** Reports an error to the listeners, else to the console. */
  reportOrLog(error: RivuletError): void {
    if (!this.report(error)) this.#log(error)
  }

  #listenerFailed(cause: unknown, event: keyof HubEvents, isRejection: boolean): void {
    this.#totals.add('listenerErrors', 1)
    const message = `A listener of "${event}" threw: ${messageOf(cause)}`
    const error = new RivuletError('LISTENER_FAILED', message, { cause, hub: this.#hub })
    const report = () => (event === 'error' ? this.#log(error) : this.reportOrLog(error))
    if (isRejection) this.#turns.run(report)
    else report()
  }

  /** Once for each code, so that a broken broker does not fill the log. */
  #log(error: RivuletError): void {
    if (this.#logged.has(error.code)) return
    this.#logged.add(error.code)
    log(error)
  }
}
