/** The most bytes of a frame of several messages on a link of unknown rate. */
const UNKNOWN_CHUNK_BYTES = 32 * 1024
const LEAST_CHUNK_BYTES = 8 * 1024
const MOST_CHUNK_BYTES = 256 * 1024
/** A chunk takes the link an eighth of a second, so that responses come often; all bytes in flight take one and a half. */
const CHUNK_SECONDS = 0.125
const WINDOW_SECONDS = 1.5
const LEAST_WINDOW_BYTES = 16 * 1024
/** A response that is later than the fastest one by this had waited behind data. */
const QUEUED_MS = 1_000
/** A shorter time between two responses shows how the network bunched them, and no rate. */
const LEAST_SPAN_MS = 200
/** The window of a slow link doubles after this time without a late response. */
const RELIEF_MS = 10_000

/** A confirmed barrier: its start, and the number of bytes sent on the connection before it. */
export interface ConfirmedBarrier {
  /** Its start, on the clock that measures the responses, in milliseconds. */
  readonly startMs: number
  /** The number of bytes sent on the connection before it. */
  readonly position: number
}

/**
 * Measures a connection's rate from the responses to barriers, and bounds the bytes in flight. The rate is known while
 * responses come late, since data waits on the link then. At other times a response shows only a lower bound, so a
 * publisher that sends little never makes a link slow.
 */
export class LinkRate {
  /** The most bytes in flight. */
  windowBytes: number
  /** The largest frame of several messages, in bytes. */
  chunkBytes = UNKNOWN_CHUNK_BYTES
  readonly #maxBytes: number
  #bytesPerMs = 0
  #leastLatencyMs = Infinity
  /** The start of the measured span: a response, or a barrier that began on an idle link. */
  #spanStartMs = 0
  #spanPosition = 0
  /**
   * Whether the span began at a response; otherwise it includes the round trip, and shows only a lower bound of the
   * rate.
   */
  #isExact = false
  /**
   * The time of the last late response, or of the last growth of the window; absent while the link is not known to be
   * slow.
   */
  #slowMs: number | undefined

  /** `maxBytes` may be in flight on a link that is not slow. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
    this.windowBytes = maxBytes
  }

  /**
   * Returns whether the next barrier is due after this many bytes: more than half a chunk, since a full frame is often
   * a little smaller than a chunk, and two of them must not share a barrier.
   */
  isBarrierDue(bytes: number): boolean {
    return bytes > this.chunkBytes / 2
  }

  /** Called when a barrier begins while no other one waits. `position`: the confirmed bytes before it. */
  begin(nowMs: number, position: number): void {
    this.#spanStartMs = nowMs
    this.#spanPosition = position
    this.#isExact = false
  }

  /** Updates the rate from a response. */
  answered({ startMs, position }: ConfirmedBarrier, nowMs: number): void {
    const latencyMs = nowMs - startMs
    this.#leastLatencyMs = Math.min(this.#leastLatencyMs, latencyMs)
    const isLate = latencyMs - this.#leastLatencyMs > QUEUED_MS
    const spanMs = nowMs - this.#spanStartMs
    if (this.#isExact && spanMs < LEAST_SPAN_MS) return
    const bytesPerMs = (position - this.#spanPosition) / Math.max(1, spanMs)
    if (isLate && this.#isExact) this.#slow(bytesPerMs, nowMs)
    else this.#grow(bytesPerMs, isLate, nowMs)
    this.#spanStartMs = nowMs
    this.#spanPosition = position
    this.#isExact = true
  }

  /** Called when a barrier was missed: the link may have changed. */
  missed(): void {
    this.#bytesPerMs = 0
    this.chunkBytes = Math.min(this.chunkBytes, UNKNOWN_CHUNK_BYTES)
  }

  /** Sets the rate while data waits on the link: it is the rate just measured. */
  #slow(bytesPerMs: number, nowMs: number): void {
    this.#bytesPerMs = bytesPerMs
    this.#slowMs = nowMs
    this.#setChunk(LEAST_CHUNK_BYTES)
    this.#limit(windowOf(bytesPerMs))
  }

  /** Raises the window to a measured lower bound of the rate. */
  #grow(bytesPerMs: number, isLate: boolean, nowMs: number): void {
    const isSlow = this.#slowMs !== undefined
    if (bytesPerMs > this.#bytesPerMs) {
      this.#bytesPerMs = bytesPerMs
      this.#setChunk(isSlow ? LEAST_CHUNK_BYTES : UNKNOWN_CHUNK_BYTES)
      if (isSlow) this.#limit(Math.max(this.windowBytes, windowOf(bytesPerMs)))
    }
    if (isLate || this.#slowMs === undefined || nowMs - this.#slowMs < RELIEF_MS) return
    this.#slowMs = nowMs
    this.#limit(this.windowBytes * 2)
  }

  #setChunk(leastBytes: number): void {
    const chunkBytes = this.#bytesPerMs * 1_000 * CHUNK_SECONDS
    this.chunkBytes = Math.floor(Math.min(MOST_CHUNK_BYTES, Math.max(leastBytes, chunkBytes)))
  }

  #limit(windowBytes: number): void {
    this.windowBytes = Math.min(this.#maxBytes, Math.floor(windowBytes))
    if (this.windowBytes === this.#maxBytes) this.#slowMs = undefined
  }
}

function windowOf(bytesPerMs: number): number {
  return Math.max(LEAST_WINDOW_BYTES, bytesPerMs * 1_000 * WINDOW_SECONDS)
}
