import {
  type Action,
  ApiError,
  type Caller,
  type Hold,
  MAX_NUMBER,
  type MessageEncoder,
  type StreamListener,
} from '@rivulet/gateway/protocol'
import type { Stream } from 'rivulet'
import { PROBLEMS } from '../base/problem.ts'
import type { StreamRegistry } from '../registry/registry.ts'
import { hubNameOf, isStreamSid, isUniqueName, type StreamRecord } from '../registry/stream-record.ts'
import type { LiveStreams } from './live-streams.ts'

/** The limits on streams. */
export interface StreamLimits {
  /** How many streams each service may have at once. @default 50000 */
  readonly maxPerService: number
  /** How many streams may be created a second in each service, after a burst of ten times as many. @default 20 */
  readonly creationsPerSecond: number
}

/** Least value, default and greatest value of each limit. */
export const STREAM_BOUNDS = {
  maxPerService: [1, 50_000, MAX_NUMBER],
  // Twilio's: "creation of objects: under 20/s a service".
  creationsPerSecond: [1, 20, MAX_NUMBER],
} as const

/** The name of all anonymous streams, which a grant may name. */
const ANONYMOUS = 'anonymous/'
// A year, as Twilio Sync has it.
const LONGEST_TTL_SECONDS = 31_536_000

/**
 * The actions on streams, and who may do them: the rules that every protocol in front of the gateway shares.
 * Whatever is refused throws an `ApiError`.
 */
export class StreamService {
  readonly #registry: StreamRegistry
  readonly #live: LiveStreams
  readonly #maxStreams: number
  readonly #creations: CreationLimit

  constructor(registry: StreamRegistry, live: LiveStreams, limits: StreamLimits) {
    this.#registry = registry
    this.#live = live
    this.#maxStreams = limits.maxPerService
    this.#creations = new CreationLimit(limits.creationsPerSecond)
  }

  /** Throws 20403 unless the caller may do one of these to the stream; without a name, to any of the service. */
  demand(caller: Caller, serviceSid: string, actions: readonly Action[], streamName?: string): void {
    if (!actions.some((action) => caller.may(action, serviceSid, streamName)))
      throw new ApiError(PROBLEMS.forbidden)
  }

  /**
   * Finds a stream by its unique name or sid, at once where the registry can. Throws 20403 before it asks the
   * registry for a caller who may not know, and 20404.
   */
  find(
    caller: Caller,
    serviceSid: string,
    id: string,
    actions: readonly Action[],
  ): StreamRecord | Promise<StreamRecord> {
    // Only the registry knows the name behind a sid.
    this.demand(caller, serviceSid, actions, isStreamSid(id) ? undefined : id)
    const found = this.#registry.find(serviceSid, id)
    const check = (record: StreamRecord | undefined) => this.#permitted(caller, actions, record)
    return found instanceof Promise ? found.then(check) : check(found)
  }

  /**
   * Finds a stream, and once more when the registry had to be asked: the stream may have ended meanwhile. A caller
   * that does not wait for a record which is there at once uses it before that can happen.
   */
  findCurrent(...asked: Parameters<StreamService['find']>): StreamRecord | Promise<StreamRecord> {
    const found = this.find(...asked)
    return found instanceof Promise ? found.then(() => this.find(...asked)) : found
  }

  /** Creates a stream; `null` is an anonymous one. Throws 54302, 54301, and beyond the limits 54009 or 20429. */
  async create(
    caller: Caller,
    serviceSid: string,
    uniqueName: string | null,
    ttlSeconds: number,
  ): Promise<StreamRecord> {
    this.demand(caller, serviceSid, ['manage'], uniqueName ?? ANONYMOUS)
    if (uniqueName !== null && !isUniqueName(uniqueName)) throw new ApiError(PROBLEMS.badName)
    this.#creations.take(serviceSid, performance.now())
    const createdBy = caller.identity ?? 'system'
    if (this.#registry.count(serviceSid) >= this.#maxStreams) throw new ApiError(PROBLEMS.tooManyStreams)
    const record = await this.#registry.create(serviceSid, uniqueName, ttlSeconds, createdBy)
    if (record === undefined) throw new ApiError(PROBLEMS.nameTaken)
    return record
  }

  /** Counts a stream's time to live anew. Throws 20404 when the stream is gone. */
  async setTtl(record: StreamRecord, ttlSeconds: number): Promise<StreamRecord> {
    const updated = await this.#registry.setTtl(record, ttlSeconds)
    if (updated === undefined) throw new ApiError(PROBLEMS.notFound)
    return updated
  }

  /** Removes a stream everywhere. Throws 20404 when it is gone. */
  async remove(record: StreamRecord): Promise<void> {
    if (!(await this.#live.remove(record))) throw new ApiError(PROBLEMS.notFound)
  }

  /**
   * Publishes through the hub's stream: its limits decide, and its ledger counts. `publisher`, if it listens to the
   * stream, does not get the message back.
   */
  publish(record: StreamRecord, data: object, publisher?: StreamListener): ReturnType<Stream['tryPublish']> {
    const result = this.#live.streamOf(record).tryPublish(data as Parameters<Stream['publish']>[0])
    if (result.ok && publisher !== undefined) {
      this.#live.runningBroadcastOf(record)?.skip(result.message, publisher)
    }
    return result
  }

  /**
   * Adds a listener to a stream. Gives a promise, which is the `joined` of its broadcast, and a function that removes
   * the listener.
   */
  listen(record: StreamRecord, listener: StreamListener, encode: MessageEncoder<StreamRecord>): Hold {
    const broadcast = this.#live.broadcastOf(record)
    broadcast.add(listener, encode)
    return { joined: broadcast.joined, stop: () => broadcast.delete(listener) }
  }

  #permitted(caller: Caller, actions: readonly Action[], record: StreamRecord | undefined): StreamRecord {
    if (record === undefined) throw new ApiError(PROBLEMS.notFound)
    this.demand(caller, record.serviceSid, actions, hubNameOf(record))
    return record
  }
}

/** Checks a time to live. Throws 54011. */
export function checkTtl(seconds: unknown): number {
  const isTtl = typeof seconds === 'number' && Number.isInteger(seconds)
  if (!isTtl || seconds < 0 || seconds > LONGEST_TTL_SECONDS) throw new ApiError(PROBLEMS.badTtl)
  return seconds
}

// As Twilio's limit on messages has a window of ten seconds for a burst.
const BURST_SECONDS = 10

/** Limits how many streams of a service are created a second: a leaky bucket, which holds those of ten seconds. */
class CreationLimit {
  readonly #ratePerSecond: number
  readonly #buckets = new Map<string, { level: number; atMs: number }>()

  constructor(ratePerSecond: number) {
    this.#ratePerSecond = ratePerSecond
  }

  /** Takes one stream of the limit, or throws 54009. */
  take(serviceSid: string, nowMs: number): void {
    const before = this.#buckets.get(serviceSid) ?? { level: 0, atMs: nowMs }
    const leaked = ((nowMs - before.atMs) / 1000) * this.#ratePerSecond
    const level = Math.max(before.level - leaked, 0) + 1
    if (level > this.#ratePerSecond * BURST_SECONDS)
      throw new ApiError(PROBLEMS.tooManyCreations, { 'retry-after': '1' })
    this.#buckets.set(serviceSid, { level, atMs: nowMs })
  }
}
