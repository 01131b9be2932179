import type { LeakyBucket } from './leaky-bucket.ts'
import type { Counters } from './ledger.ts'
import type { Message } from './message.ts'
import { checkSignal, type ResolvedOptions } from './options.ts'
import { Refusal } from './refusal.ts'
import { validate } from './schema.ts'
import type { SignalActions } from './signal-actions.ts'
import { snapshot } from './snapshot.ts'
import { type Waiter, WaitingLine } from './waiting-line.ts'

/** How much may be published now. */
export interface Budget {
  /** Messages that would be accepted at once; `Infinity` without a limit. */
  readonly available: number
  /** Whole milliseconds until one more is accepted; 0 when one is now. */
  readonly retryAfterMs: number
}

/** What admitting messages needs of the stream. */
export interface AdmissionPort {
  readonly options: ResolvedOptions
  readonly counters: Counters
  readonly isClosed: boolean
  /** Whether messages go to a transport, which tells their time. */
  readonly isSent: boolean
  /** Whether too many messages wait for the running fan-out to end. */
  readonly isFull: boolean
  readonly signals: SignalActions
  nowMs(): number
  closedRefusal(): Refusal
  /** Tells the stream's listeners of a refusal. */
  refused(refusal: Refusal): void
  /** Delivers and sends. `wire` is the snapshot, `data` what subscribers get, `nowMs` is known where it is sent. */
  accept(wire: object, data: unknown, nowMs: number | undefined): Message
}

/** Data that has passed every check but the limit. */
interface Checked {
  readonly wire: object
  readonly data: unknown
}

/** A value that `publishLatest` keeps until there is room. */
interface Kept extends Waiter {
  checked: Checked
}

/**
 * Decides what is published, in this order: closed, room in the bucket (a look), snapshot and size, schema,
 * closed again, since user code ran, and at last the room itself. So a flood that is refused costs almost
 * nothing, and what is refused for another reason takes no room.
 */
export class Admission {
  readonly #port: AdmissionPort
  readonly #bucket: LeakyBucket | undefined
  // Made when first needed: most streams never wait.
  #line: WaitingLine | undefined
  #kept: Map<unknown, Kept> | undefined

  constructor(port: AdmissionPort, bucket: LeakyBucket | undefined) {
    this.#port = port
    this.#bucket = bucket
  }

  /** Publishes now, or refuses. */
  publish(data: unknown): Message | Refusal {
    const port = this.#port
    let nowMs = this.#readClock()
    let refusal = this.#whyNotNow(nowMs)
    if (refusal !== undefined) return this.#refuse(refusal)
    let wire: object
    let output: unknown
    try {
      const { schema, maxBytes } = port.options
      wire = snapshot(data, maxBytes)
      output = schema === undefined ? wire : validate(schema, wire)
    } catch (thrown) {
      return this.#refuse(asRefusal(thrown))
    }
    nowMs ??= this.#readClock()
    refusal = this.#whyNotNow(nowMs)
    if (refusal !== undefined) return this.#refuse(refusal)
    if (nowMs === undefined) this.#bucket?.takeAnyway()
    else this.#bucket?.take(nowMs)
    return port.accept(wire, output, nowMs)
  }

  /** Publishes when there is room. Rejects with the refusal's error, or with the reason of the signal. */
  async publishWhenReady(data: unknown, signal: AbortSignal | undefined): Promise<Message> {
    checkSignal(signal)
    if (signal?.aborted) throw this.#abortedBy(signal)
    const nowMs = this.#port.nowMs()
    const checked = this.#check(data, false, nowMs)
    if (checked instanceof Refusal) throw this.#refuse(checked).error
    if (signal?.aborted) throw this.#abortedBy(signal) // by what reading the data ran
    if (this.#takeRoom(nowMs)) return this.#port.accept(checked.wire, checked.data, nowMs)
    return this.#waitInLine(checked, nowMs, signal)
  }

  /** Publishes now, or keeps the newest value per key until there is room and returns `undefined`. */
  publishLatest(data: unknown, key: unknown): Message | Refusal | undefined {
    const nowMs = this.#port.nowMs()
    const checked = this.#check(data, this.#kept?.has(key) === true, nowMs)
    if (checked instanceof Refusal) return this.#refuse(checked)
    const kept = this.#kept?.get(key)
    if (kept !== undefined) {
      kept.checked = checked
      this.#port.counters.attempt('conflated')
      return undefined
    }
    if (this.#takeRoom(nowMs)) return this.#port.accept(checked.wire, checked.data, nowMs)
    this.#keep(checked, key, nowMs)
    return undefined
  }

  budget(): Budget {
    if (this.#bucket === undefined) return { available: Number.POSITIVE_INFINITY, retryAfterMs: 0 }
    const nowMs = this.#port.nowMs()
    const isLineEmpty = this.#lineSize() === 0
    const available = isLineEmpty ? this.#bucket.available(nowMs) : 0
    return { available, retryAfterMs: this.#bucket.retryAfterMs(nowMs, this.#lineSize() + 1) }
  }

  /** Refuses whoever stands in line. */
  close(): void {
    this.#kept?.clear()
    this.#line?.close()
  }

  #lineSize(): number {
    return this.#line === undefined ? 0 : this.#line.size
  }

  /** Reads the clock unless nothing depends on the time. */
  #readClock(): number | undefined {
    const isNeeded = this.#port.isSent || this.#bucket?.hasRoomAnyway === false || this.#lineSize() > 0
    return isNeeded ? this.#port.nowMs() : undefined
  }

  #refuse(refusal: Refusal): Refusal {
    this.#port.counters.refuse(refusal.code)
    this.#port.refused(refusal)
    return refusal
  }

  #abortedBy(signal: AbortSignal): unknown {
    this.#port.counters.refuse('ABORTED')
    return signal.reason
  }

  /** Looks whether a message may be published now, taking nothing. With the clock unread there is room for sure. */
  #whyNotNow(nowMs: number | undefined): Refusal | undefined {
    const port = this.#port
    if (port.isClosed) return port.closedRefusal()
    if (port.isFull) return this.#lineFull()
    const bucket = this.#bucket
    if (bucket === undefined || nowMs === undefined) return undefined
    if (this.#lineSize() === 0 && bucket.hasRoom(nowMs)) return undefined
    return new Refusal('RATE_LIMITED', { retryAfterMs: bucket.retryAfterMs(nowMs, this.#lineSize() + 1) })
  }

  /** Checks everything but the limit; who replaces a kept value needs no place in line. */
  #check(data: unknown, hasPlace: boolean, nowMs: number): Checked | Refusal {
    const refusal = this.#whyNoPlace(hasPlace, nowMs)
    if (refusal !== undefined) return refusal
    try {
      const { schema, maxBytes } = this.#port.options
      const wire = snapshot(data, maxBytes)
      const checked = { wire, data: schema === undefined ? wire : validate(schema, wire) }
      return this.#whyNoPlace(hasPlace, nowMs) ?? checked
    } catch (thrown) {
      return asRefusal(thrown)
    }
  }

  #whyNoPlace(hasPlace: boolean, nowMs: number): Refusal | undefined {
    const port = this.#port
    if (port.isClosed) return port.closedRefusal()
    if (hasPlace) return undefined
    if (port.isFull) return this.#lineFull()
    if (this.#lineSize() < port.options.maxWaiting) return undefined
    const isRoom = this.#lineSize() === 0 && (this.#bucket === undefined || this.#bucket.hasRoom(nowMs))
    return isRoom ? undefined : this.#lineFull()
  }

  #lineFull(): Refusal {
    return new Refusal('WAITING_LINE_FULL', { maxWaiting: this.#port.options.maxWaiting })
  }

  #takeRoom(nowMs: number): boolean {
    if (this.#bucket === undefined) return true
    return this.#lineSize() === 0 && this.#bucket.take(nowMs)
  }

  #waitInLine(checked: Checked, nowMs: number, signal: AbortSignal | undefined): Promise<Message> {
    const port = this.#port
    return new Promise<Message>((resolve, reject) => {
      const end = () => {
        port.counters.leftLine()
        callOff?.()
      }
      const waiter: Waiter = {
        admit: (nowMs) => {
          end()
          resolve(port.accept(checked.wire, checked.data, nowMs))
        },
        refuse: () => {
          end()
          reject(this.#refuse(port.closedRefusal()).error)
        },
      }
      const callOff =
        signal &&
        port.signals.add(signal, () => {
          this.#line?.leave(waiter)
          end()
          reject(this.#abortedBy(signal))
        })
      port.counters.attempt('waiting')
      this.#join(waiter, nowMs)
    })
  }

  #keep(checked: Checked, key: unknown, nowMs: number): void {
    const port = this.#port
    const end = () => {
      port.counters.leftLine()
      this.#kept?.delete(key)
    }
    const kept: Kept = {
      checked,
      admit: (nowMs) => {
        end()
        port.accept(kept.checked.wire, kept.checked.data, nowMs)
      },
      refuse: () => {
        end()
        this.#refuse(port.closedRefusal())
      },
    }
    this.#kept ??= new Map()
    this.#kept.set(key, kept)
    port.counters.attempt('waiting')
    this.#join(kept, nowMs)
  }

  #join(waiter: Waiter, nowMs: number): void {
    const bucket = this.#bucket as LeakyBucket // or there would have been room
    this.#line ??= new WaitingLine(bucket, () => this.#port.nowMs())
    this.#line.join(waiter, nowMs)
  }
}

function asRefusal(thrown: unknown): Refusal {
  if (thrown instanceof Refusal) return thrown
  throw thrown // the stack is exhausted; where that happens no test can say
}
