import type { Age, StreamRecord } from './stream-record.ts'

/** The reason for which a stream left the registry. */
export type RemovalReason = 'removed' | 'expired'

/** Receives every stream that leaves a registry, whichever gateway removed it. */
export type RemovalListener = (record: StreamRecord, reason: RemovalReason) => void

/** A query for one page of a service's streams. */
export interface PageQuery {
  /** The greatest number of streams on the page; from 1. */
  readonly size: number
  /** The stream, which may be gone, that the page begins after or ends before. @default the page is the first one */
  readonly from?: PageEdge | undefined
  /** Returns whether a stream counts. Called for the streams of the page, and for those that are passed over. */
  readonly accepts: (record: StreamRecord) => boolean
}

/** The stream next to which a page begins or ends. */
export interface PageEdge extends Age {
  /** The side of that stream on which the page lies. */
  readonly side: 'after' | 'before'
}

/** A page of streams. */
export interface RecordPage {
  /** Oldest first. */
  readonly records: readonly StreamRecord[]
  /** Whether there are older streams that count. */
  readonly hasOlder: boolean
  /** Whether there are younger streams that count. */
  readonly hasYounger: boolean
}

/**
 * Stores which streams exist. A stream is created in it before it can be published to; it keeps names, dates and times
 * to live, never messages. Expired streams are not found. Rejects `TRANSPORT_UNAVAILABLE` when it can't be reached; the
 * gateway then responds with 503.
 */
export interface StreamRegistry {
  /**
   * The identity of the registry's storage. It changes whenever streams may be lost. It is the same for all gateways
   * that share a registry, also after a restart if the streams are still there.
   */
  readonly epoch: string
  /** `up` while it receives the changes of other gateways. While it is `down`, streams are found as last known. */
  readonly status: 'up' | 'down'
  /**
   * Creates a stream, atomically among all gateways that share the registry. Resolves to `undefined` when a
   * stream of that service has the unique name already. `ttlSeconds` 0 is never; `createdBy` has 1 to 256 characters.
   */
  create(
    serviceSid: string,
    uniqueName: string | null,
    ttlSeconds: number,
    createdBy: string,
  ): Promise<StreamRecord | undefined>
  /** Finds a stream by its unique name, then by its sid. Without a promise where it can: publishing waits for it. */
  find(serviceSid: string, id: string): StreamRecord | undefined | Promise<StreamRecord | undefined>
  /** Restarts the time to live from now; 0 is never. Resolves to `undefined` when the stream is gone. */
  setTtl(record: StreamRecord, ttlSeconds: number): Promise<StreamRecord | undefined>
  /** Removes a stream. Resolves to whether it was there. */
  remove(record: StreamRecord): Promise<boolean>
  /**
   * Returns a page of a service's streams. A page before a stream with fewer than `size` older ones is the first page.
   * Takes time only for the streams of the page and those that `accepts` passes over.
   */
  page(serviceSid: string, query: PageQuery): Promise<RecordPage>
  /** Counts the streams of a service that this process knows. */
  count(serviceSid: string): number
  /** Notifies `listener` of every stream that is removed or expires from now on. */
  onRemoved(listener: RemovalListener): void
  /** Releases timers and connections. Stored streams stay. */
  close(): Promise<void>
}
