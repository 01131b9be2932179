/** What one frame, and the way from one barrier to the next, may have on a link of which nothing is known. */
const UNKNOWN_CHUNK_BYTES = 32 * 1024
const LEAST_CHUNK_BYTES = 8 * 1024
const MOST_CHUNK_BYTES = 256 * 1024
/** A chunk takes the link an eighth of a second, so that answers come often; what is in flight one and a half. */
const CHUNK_SECONDS = 0.125
const WINDOW_SECONDS = 1.5
const LEAST_WINDOW_BYTES = 16 * 1024
/** An answer that is later by this than the fastest one had waited behind data. */
const QUEUED_MS = 1_000
/** A shorter time between two answers measures how they were bunched on their way, and no rate. */
const LEAST_SPAN_MS = 200
/** A link that was slow gets twice the window after so long without a late answer. */
const RELIEF_MS = 10_000

/** A barrier that was answered: when it began, and how many bytes were sent on the connection until then. */
export interface Answered {
  readonly startMs: number
  readonly position: number
}

/**
 * Measures from the answers to barriers how much a connection carries, and bounds what may be in flight. Its rate is
 * known while answers come late, since data waits on the link then. At other times what was answered shows how much the
 * link carries at least, so a publisher that sends little never makes a link slow.
 */
export class LinkRate {
  /** How many bytes may be in flight. */
  windowBytes: number
  /** How large a frame of several messages may be, and how many bytes may follow a barrier before the next one. */
  chunkBytes = UNKNOWN_CHUNK_BYTES
  readonly #maxBytes: number
  #bytesPerMs = 0
  #leastLatencyMs = Infinity
  /** Where the span that is measured began: at an answer, or at a barrier that began on an idle link. */
  #spanStartMs = 0
  #spanPosition = 0
  /** Whether it began at an answer: else it has the round trip in it, and shows only how fast the link is at least. */
  #isExact = false
  /** When the last answer was late, or the window grew; absent while the link is not known to be slow. */
  #slowMs: number | undefined

  /** `maxBytes` may be in flight on a link that is not slow. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
    this.windowBytes = maxBytes
  }

  /** A barrier begins while no other one waits for its answer. `position`: how much was answered before. */
  begin(nowMs: number, position: number): void {
    this.#spanStartMs = nowMs
    this.#spanPosition = position
    this.#isExact = false
  }

  /** Learns from an answer. */
  answered({ startMs, position }: Answered, nowMs: number): void {
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

  /** A barrier was not answered: the link may be another than it was. */
  missed(): void {
    this.#bytesPerMs = 0
    this.chunkBytes = Math.min(this.chunkBytes, UNKNOWN_CHUNK_BYTES)
  }

  /** Data waits on the link, so its rate is what it has just carried. */
  #slow(bytesPerMs: number, nowMs: number): void {
    this.#bytesPerMs = bytesPerMs
    this.#slowMs = nowMs
    this.#setChunk(LEAST_CHUNK_BYTES)
    this.#limit(windowOf(bytesPerMs))
  }

  /** The link carries as much at least. */
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
