import type { Age, StreamRecord } from './stream-record.ts'

/** Why a stream left the registry. */
export type RemovalReason = 'removed' | 'expired'

/** Told of every stream that leaves a registry, at whichever gateway that was asked for. */
export type RemovalListener = (record: StreamRecord, reason: RemovalReason) => void

/** Which page of a service's streams. */
export interface PageQuery {
  /** How many streams it has at the most; from 1. */
  readonly size: number
  /** The stream, which may be gone, that the page begins after or ends before. @default the page is the first one */
  readonly from?: PageEdge | undefined
  /** Tells whether a stream counts. Called for the streams of the page, and for those that are passed over. */
  readonly accepts: (record: StreamRecord) => boolean
}

/** Where a page begins or ends. */
export interface PageEdge extends Age {
  /** Which of the neighbours of that stream. */
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
 * Knows which streams there are. Streams are created in it before anybody can publish to them; it keeps names,
 * dates and times to live, never messages. What has expired is not found any more. Rejects
 * `TRANSPORT_UNAVAILABLE` when it can't be reached; the gateway then answers 503.
 */
export interface StreamRegistry {
  /**
   * Names what the registry keeps its streams in. It changes whenever the streams that it knew may be lost. All
   * gateways that share a registry agree on it, and a restarted one finds it again if the streams are still there.
   */
  readonly epoch: string
  /** Whether it hears of what other gateways do. While it is down, streams are found as they were last known. */
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
  /** Looks a stream up by its unique name, then by its sid. At once where it can, since publishing waits for it. */
  find(serviceSid: string, id: string): StreamRecord | undefined | Promise<StreamRecord | undefined>
  /** Counts the time to live anew from now; 0 is never. Resolves to `undefined` when the stream is gone. */
  setTtl(record: StreamRecord, ttlSeconds: number): Promise<StreamRecord | undefined>
  /** Removes a stream. Resolves to whether it was there. */
  remove(record: StreamRecord): Promise<boolean>
  /**
   * Cuts a page out of the streams of a service. A page before a stream that fewer than `size` streams are older
   * than is the first page. Takes time for the streams of the page and those that `accepts` passes over only.
   */
  page(serviceSid: string, query: PageQuery): Promise<RecordPage>
  /** Counts the streams of a service, at once and as far as this process knows them. */
  count(serviceSid: string): number
  /** Tells `listener` of every stream that is removed or expires from now on. */
  onRemoved(listener: RemovalListener): void
  /** Lets go of timers and connections. What is stored stays. */
  close(): Promise<void>
}
