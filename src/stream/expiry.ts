import { after } from '../base/timer.ts'
import type { StreamState } from '../model/stream-state.ts'
import { endStream } from './ending.ts'

/** Sets when a stream expires: so many seconds from now, 0 for never. */
export function setTtl(state: StreamState, ttlSeconds: number): void {
  const { environment } = state.hub
  state.cancelExpiry?.()
  state.ttlSeconds = ttlSeconds
  state.expiresAtMs = ttlSeconds === 0 ? undefined : environment.dateMs() + ttlSeconds * 1000
  if (ttlSeconds === 0) return
  const expire = () => endStream(state, { reason: 'expired', isLocal: true })
  state.cancelExpiry = after(environment, ttlSeconds * 1000, expire, false)
}
