import { DEFAULT_TIMEOUTS, LinkRate } from 'rivulet/adapter'
import type { Waits } from './guest.ts'

/** So many barriers that fail one after the other mean that the connection upstream is dead. */
const FAILURES_TO_DOWN = 2
/** So many while frames come in: the answers wait behind these on a slow link, which is not dead. */
const FAILURES_TO_DOWN_WHILE_HEARING = 30
/** Barriers upstream at a time while little is sent. With one alone a page would wait for two where upstream is slow. */
const MAX_OVERLAPPING = 3
/** The relay looks so often in the time of a barrier whether anything has moved. */
const LOOKS = 4
/** A look that is later than this: the process stood still, so bytes have not left, and answers were not read. */
const STOOD_STILL_MS = 200
/** So much may be on its way upstream, as the default of a hub's `maxInFlightBytes`; less on a link known to be slow. */
const MAX_IN_FLIGHT_BYTES = 8 * 1024 * 1024

/** The functions of the transport upstream that barriers call, and those that they report by. */
export interface BarriersUpstream {
  flush(signal: AbortSignal): Promise<void>
  /** Returns the bytes of frames that wait in the client. */
  bufferedBytes(): number
  /** Upstream answers no more. While only pages publish, nothing else would notice. */
  dead(cause: Error): void
  /** As `progress` of a transport's host. */
  progress(isCongested: boolean): void
}

/** A page's barrier. */
interface Asked {
  readonly answer: () => void
  readonly waits: Waits | undefined
}

/** A barrier upstream, and the pages' barriers that its answer answers. */
interface Barrier {
  readonly asked: readonly Asked[]
  readonly startMs: number
  /** The bytes that were sent on the connection before it. */
  readonly position: number
  readonly givenUp: AbortController
}

/**
 * Answers the barriers of many pages by few barriers upstream: those that come in one tick, or while some run, share one.
 * Another one follows every few kilobytes, as the core has it on its own links, so that answers show progress where
 * upstream is slow. While anything moves the barriers have time, and their pages are notified.
 */
export class Barriers {
  /** The time that a barrier upstream waits for a sign of life. */
  timeoutMs = DEFAULT_TIMEOUTS.barrierMs
  readonly #upstream: BarriersUpstream
  #rate = new LinkRate(MAX_IN_FLIGHT_BYTES)
  /** Not covered by a barrier upstream yet. */
  #waiting: Asked[] = []
  #isStarting = false
  /** The oldest first. */
  readonly #running: Barrier[] = []
  /** Bytes sent on this connection: in all, before the last barrier, and before the last one that was answered. */
  #sent = 0
  #covered = 0
  #answered = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  /** Looks in a row that saw nothing move, and those that came too late to count. */
  #idleLooks = 0
  #lateLooks = 0
  /** Whether anything was answered, or upstream itself reported progress, since the last look. */
  #hasMoved = false
  /** At the last look: bytes that waited in the client, and bytes that had left it. */
  #held = 0
  #left = 0
  #hasHeard = false
  #failures = 0
  /** Whether upstream itself wants no more. */
  #isCongestedUpstream = false

  constructor(upstream: BarriersUpstream) {
    this.#upstream = upstream
  }

  /** Whether so much is on its way that no frame of a page is taken. */
  get isFull(): boolean {
    return this.#sent - this.#answered >= MAX_IN_FLIGHT_BYTES
  }

  /** Calls `answer` when upstream has everything that was sent before this call. If upstream fails it is not called. */
  ask(answer: () => void, waits?: Waits): void {
    this.#waiting.push({ answer, waits })
    this.#next()
  }

  /** Notes bytes that were sent. */
  sent(bytes: number): void {
    this.#sent += bytes
    if (this.#isDue) this.#start()
  }

  /** Notes that a frame came in. */
  heard(): void {
    this.#hasHeard = true
  }

  /** Upstream reports progress by itself. */
  progressed(isCongested: boolean): void {
    this.#hasMoved = true
    this.#isCongestedUpstream = isCongested
  }

  /** The connection is gone: nothing that was asked is answered. */
  stop(): void {
    this.#waiting = []
    const gone = new Error('the connection upstream is gone')
    for (const { givenUp } of this.#running.splice(0)) givenUp.abort(gone)
    this.#stopLooking()
    this.#rate = new LinkRate(MAX_IN_FLIGHT_BYTES)
    this.#sent = 0
    this.#covered = 0
    this.#answered = 0
    this.#failures = 0
  }

  /** Whether so much was sent since the last barrier that its answer would say little about what came after it. */
  get #isDue(): boolean {
    return this.#rate.isBarrierDue(this.#sent - this.#covered)
  }

  /** Starts a barrier for the waiting pages, at the end of this tick, so that all that ask in it share one. */
  #next(): void {
    if (this.#isStarting || this.#waiting.length === 0) return
    if (this.#running.length >= MAX_OVERLAPPING) return
    this.#isStarting = true
    queueMicrotask(() => {
      this.#isStarting = false
      if (this.#waiting.length > 0) this.#start()
    })
  }

  #start(): void {
    const startMs = performance.now()
    const barrier = {
      asked: this.#waiting,
      startMs,
      position: this.#sent,
      givenUp: new AbortController(),
    }
    this.#waiting = []
    this.#covered = this.#sent
    if (this.#running.push(barrier) === 1) {
      this.#rate.begin(startMs, this.#answered)
      this.#lookLater()
    }
    const failed = () => this.#failed(barrier)
    this.#upstream.flush(barrier.givenUp.signal).then(() => this.#confirm(barrier), failed)
  }

  /** An answer answers the barriers before it, too: upstream has everything that was sent before. */
  #confirm(barrier: Barrier): void {
    const nth = this.#running.indexOf(barrier)
    if (nth === -1) return
    const answered = this.#running.splice(0, nth + 1)
    this.#answered = barrier.position
    this.#rate.answered(barrier, performance.now())
    this.#hasMoved = true
    this.#failures = 0
    if (this.#running.length === 0) this.#stopLooking()
    for (const { asked } of answered) for (const { answer } of asked) answer()
    this.#next()
  }

  /** The pages have their own deadlines, and count the messages as unconfirmed. */
  #failed(barrier: Barrier): void {
    const nth = this.#running.indexOf(barrier)
    if (nth === -1) return
    this.#running.splice(nth, 1)
    if (this.#running.length === 0) this.#stopLooking()
    this.#next()
  }

  #lookLater(): void {
    const waitMs = this.timeoutMs / LOOKS
    const dueMs = performance.now() + waitMs
    this.#timer = setTimeout(() => this.#look(performance.now() - dueMs > STOOD_STILL_MS), waitMs)
  }

  #stopLooking(): void {
    clearTimeout(this.#timer)
    this.#idleLooks = 0
    this.#lateLooks = 0
    this.#hasMoved = false
    this.#held = 0
    this.#hasHeard = false
    this.#isCongestedUpstream = false
  }

  #look(isLate: boolean): void {
    this.#lookLater()
    if (this.#movedSinceLastLook()) {
      this.#idleLooks = 0
      this.#lateLooks = 0
      return this.#tellProgress()
    }
    if (isLate && this.#lateLooks < LOOKS) this.#lateLooks++
    else if (++this.#idleLooks === LOOKS) this.#expire()
  }

  /** Bytes that leave the client count while some wait there: else what is sent leaves at once, also into a dead link. */
  #movedSinceLastLook(): boolean {
    const held = this.#upstream.bufferedBytes()
    const left = this.#sent - held
    const hasMoved = this.#hasMoved || (this.#held > 0 && left > this.#left)
    this.#held = held
    this.#left = left
    this.#hasMoved = false
    return hasMoved
  }

  #tellProgress(): void {
    const isOver = this.#sent - this.#answered > this.#rate.windowBytes
    const isCongested = isOver || this.#isCongestedUpstream
    const notified = new Set<Waits>()
    for (const { asked } of [...this.#running, { asked: this.#waiting }]) {
      for (const { waits } of asked) if (waits !== undefined) notified.add(waits)
    }
    for (const notify of notified) notify(isCongested)
    this.#upstream.progress(isCongested)
  }

  /** The time of the oldest barrier is over; that of the next one begins. */
  #expire(): void {
    const cause = new Error('the barrier was not answered in time')
    const most = this.#hasHeard ? FAILURES_TO_DOWN_WHILE_HEARING : FAILURES_TO_DOWN
    this.#running.shift()?.givenUp.abort(cause)
    this.#idleLooks = 0
    this.#lateLooks = 0
    this.#hasHeard = false
    this.#rate.missed()
    if (this.#running.length === 0) this.#stopLooking()
    if (++this.#failures >= most) this.#upstream.dead(cause)
    else this.#next()
  }
}
