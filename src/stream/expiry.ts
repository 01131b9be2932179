import { after } from '../base/timer.ts'
import type { LifetimePart } from '../state/lifetime-part.ts'
import type { StreamState } from '../state/stream-state.ts'
import { endStream } from './ending.ts'

/** Sets the time to live of a stream, in seconds from now; 0 for never. */
export function setTtl(state: StreamState & LifetimePart, ttlSeconds: number): void {
  const { environment } = state.hub
  state.cancelExpiry?.()
  state.ttlSeconds = ttlSeconds
  state.expiresAtMs = ttlSeconds === 0 ? undefined : environment.dateMs() + ttlSeconds * 1000
  if (ttlSeconds === 0) return
  const expire = () => endStream(state, 'expired')
  state.cancelExpiry = after(environment, ttlSeconds * 1000, expire, false)
}
