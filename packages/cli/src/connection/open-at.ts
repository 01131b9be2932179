import { type Hub, type HubConfigObject, openHub } from 'rivulet'
import type { Place } from './place.ts'

/** Bounds on waiting for the broker. */
export interface Patience {
  /** Milliseconds; the core's default if undefined. */
  readonly timeoutMs: number | undefined
  readonly signal: AbortSignal
}

/** Opens a hub on the broker of a place. Rejects as `openHub` does: when the broker is unavailable or refuses. */
export function openAt(
  { urls, hub: name }: Place,
  { timeoutMs, signal }: Patience,
  config: Omit<HubConfigObject, 'transport' | 'name'> = {},
): Promise<Hub> {
  return openHub(
    { ...config, transport: urls, ...(name !== undefined && { name }) },
    { signal, ...(timeoutMs !== undefined && { timeoutMs }) },
  )
}
