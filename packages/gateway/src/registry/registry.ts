import type { StreamRecord } from './stream-record.ts'

/** Why a stream left the registry. */
export type RemovalReason = 'removed' | 'expired'

/** Told of every stream that leaves a registry, at whichever gateway that was asked for. */
export type RemovalListener = (record: StreamRecord, reason: RemovalReason) => void

/**
 * Knows which streams there are. Streams are created in it before anybody can publish to them; it keeps names,
 * dates and times to live, never messages. What has expired is not found any more. Rejects
 * `TRANSPORT_UNAVAILABLE` when it can't be reached; the gateway then answers 503.
 */
export interface StreamRegistry {
  /**
   * Creates a stream, atomically among all gateways that share the registry. Resolves to `undefined` when a
   * stream of that service has the unique name already.
   */
  create(serviceSid: string, uniqueName: string | null, ttlSeconds: number): Promise<StreamRecord | undefined>
  /** Looks a stream up by its unique name, then by its sid. At once where it can, since publishing waits for it. */
  find(serviceSid: string, id: string): StreamRecord | undefined | Promise<StreamRecord | undefined>
  /** Counts the time to live anew from now; 0 is never. Resolves to `undefined` when the stream is gone. */
  setTtl(record: StreamRecord, ttlSeconds: number): Promise<StreamRecord | undefined>
  /** Removes a stream. Resolves to whether it was there. */
  remove(record: StreamRecord): Promise<boolean>
  /** Lists the streams of a service, oldest first. */
  list(serviceSid: string): Promise<readonly StreamRecord[]>
  /** Tells `listener` of every stream that is removed or expires from now on. */
  onRemoved(listener: RemovalListener): void
  /** Lets go of timers and connections. What is stored stays. */
  close(): Promise<void>
}
