import { createHub, type Hub, type HubOptions, type HubStatus, RivuletError } from 'rivulet'
import { vi } from 'vitest'
import { ScriptedTransport } from './scripted-transport.ts'

/** An outage. */
export const away = new Error('connection refused')
/** A fatal refusal. */
export const refused = () => new RivuletError('TRANSPORT_FAILED', 'bad password')

export interface Linked {
  readonly hub: Hub
  readonly transport: ScriptedTransport
  readonly statuses: HubStatus[]
  readonly errors: unknown[]
}

/** A hub whose transport answers as told from its first open on. */
export function link(answers: Partial<ScriptedTransport['answers']> = {}, options: HubOptions = {}): Linked {
  const transport = new ScriptedTransport()
  Object.assign(transport.answers, answers)
  const hub = createHub({ transport, ...options })
  const statuses: HubStatus[] = [hub.status]
  const errors: unknown[] = []
  hub.on('status', (status) => statuses.push(status))
  hub.on('error', (error) => errors.push(error))
  return { hub, transport, statuses, errors }
}

/** Advances until the next open, and tells how long that took. */
export async function untilNextOpen({ transport }: Linked, mostMs: number): Promise<number> {
  const before = transport.opens.length
  const startMs = performance.now()
  while (transport.opens.length === before && performance.now() - startMs <= mostMs) {
    await vi.advanceTimersByTimeAsync(1)
  }
  return performance.now() - startMs
}
