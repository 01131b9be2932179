/** A mistake that somebody could make in the core: one piece of a file, and what stands there instead. */
export interface Bug {
  readonly name: string
  readonly file: string
  /** Occurs in the file exactly once; a test checks it. */
  readonly right: string
  readonly wrong: string
}

/** Deliberate mistakes. Each has to be found by the simulation: a check that finds none of them checks nothing. */
export const BUGS: readonly Bug[] = [
  {
    name: 'the window of seen numbers is a word longer than its memory',
    file: 'src/receive/seen-numbers.ts',
    right: 'WINDOW_SIZE = (WORDS - 1) * WORD_BITS',
    wrong: 'WINDOW_SIZE = WORDS * WORD_BITS',
  },
  {
    name: 'the window forgets to clear its last word when it slides',
    file: 'src/receive/seen-numbers.ts',
    right: 'step <= steps; step++',
    wrong: 'step < steps; step++',
  },
  {
    name: 'a value that replaces a kept one is no attempt',
    file: 'src/publish/publish.ts',
    right: "state.counters.add('attempts', 1)",
    wrong: '',
  },
  {
    name: 'a join that was refused is not made again',
    file: 'src/connection/joins.ts',
    right: 'this.#retryAfter(join, join.backOff.nextMs(this.#time), cause)',
    wrong: 'answer(join)',
  },
  {
    name: 'a topic that is left and wanted again in one tick is left',
    file: 'src/connection/joins.ts',
    right: 'if (join.isWanted || this.#byTopic',
    wrong: 'if (this.#byTopic',
  },
  {
    name: 'the smallest delay of a clock that stepped is kept for ever',
    file: 'src/receive/lateness.ts',
    right: 'if (settledMs === undefined || promptStartMs <= run.sinceMs) return true',
    wrong: 'if (settledMs === undefined || promptStartMs !== undefined) return true',
  },
  {
    name: 'one missed barrier makes no doubt of what arrives',
    file: 'src/connection/confirmations.ts',
    right: 'return this.#misses > 0',
    wrong: 'return this.#misses > 1',
  },
  {
    name: 'a barrier that was missed confirms what it covers',
    file: 'src/connection/confirmations.ts',
    right: "batch.settle('unconfirmed', cause)\n    givenUp.abort(cause)",
    wrong: "batch.settle('confirmed')\n    givenUp.abort(cause)",
  },
  {
    name: 'the bytes of a barrier that was answered stay in flight',
    file: 'src/connection/confirmations.ts',
    right: 'this.#answered = position',
    wrong: '',
  },
  {
    name: 'what is in flight when the connection is lost stays in flight',
    file: 'src/connection/confirmations.ts',
    right: "this.#pending.settle('unconfirmed', reason)",
    wrong: '',
  },
  {
    name: 'only the newest stream of a hub knows its own messages',
    file: 'src/state/origins.ts',
    right: 'for (const { digits } of this.#prefixes) if (origin.startsWith(digits)) return true',
    wrong:
      'for (const { digits, streams: n } of this.#prefixes) if (origin === digits + (n - 1).toString(16).padStart(4, "0")) return true',
  },
  {
    name: 'a number that comes late stays missed',
    file: 'src/receive/publisher.ts',
    right: "if (isSameJoin && sequence > this.#joinedAt) counters.add('missed', -1)",
    wrong: '',
  },
  {
    name: 'what a program did not listen to counts as missed while away',
    file: 'src/receive/absences.ts',
    right: 'this.#comparableFrom = this.join',
    wrong: '',
  },
  {
    name: 'a removal counts however late it is',
    file: 'src/receive/inbox.ts',
    right: "if (this.publishers.judge(sid, tMs, arrival) !== 'deliver') return false",
    wrong: 'this.publishers.judge(sid, tMs, arrival)',
  },
  {
    name: 'own messages take no room of what subscribers may see',
    file: 'src/publish/accept.ts',
    right: 'state.receiving?.fill(nowMs)',
    wrong: '',
  },
  {
    name: 'those who still wait in line are forgotten',
    file: 'src/publish/publish-queue.ts',
    right: 'if (publishQueue.waiters.size > 0 && publishQueue.cancelTimer === undefined)',
    wrong: 'if (publishQueue.waiters.size > 5)',
  },
  {
    name: 'a listener that has left is called until the places close up',
    file: 'src/deliver/fan-out.ts',
    right: 'state.listeners[subscriber.index] = noListener',
    wrong: '',
  },
  {
    name: 'a publish inside a subscriber is delivered at once',
    file: 'src/deliver/delivery.ts',
    right: 'if (state.isDelivering) {\n    state.queue',
    wrong: 'if (state.queued > 1e9) {\n    state.queue',
  },
  {
    name: 'what is published while offline waits for the connection',
    file: 'src/send/outbox.ts',
    right: "else lost = [{ reason: 'offline', messages: waiting, follows: this.#followsOf(waiting) }]",
    wrong: 'else { outbox.waiting = waiting; return }',
  },
  {
    name: 'the time to live of a stream runs on when it has ended',
    file: 'src/stream/ending.ts',
    right: 'state.cancelExpiry?.()',
    wrong: '',
  },
  {
    name: 'a number that was forged is taken for a repeat for ever',
    file: 'src/receive/publisher.ts',
    right: 'nowMs - 1_000 * this.deliveredS > 1.01 * Math.max(MUTED_AT_MOST_MS, maxAgeMs)',
    wrong: 'nowMs < 0',
  },
  {
    name: 'a number far ahead is believed at once',
    file: 'src/receive/publisher.ts',
    right: "if (place === 'far' && !this.#isRealJump(sequence)) return 'malformed'",
    wrong: '',
  },
  {
    name: 'a subscription that has ended still listens to its signal',
    file: 'src/deliver/subscription.ts',
    right: 'this.#cancelAbort?.()',
    wrong: '',
  },
  {
    name: 'a topic that nobody reads any more stays joined',
    file: 'src/connection/joins.ts',
    right: "if (state === 'in' || state === 'joining') this.#leave(topic)",
    wrong: '',
  },
  {
    name: 'barriers come at any time, whatever was sent since the last one',
    file: 'src/connection/confirmations.ts',
    right: 'if (this.#rate.isBarrierDue(this.#sent - this.#covered)) this.#run()',
    wrong: 'if (bytes > 0) this.#run()',
  },
  {
    name: 'a hub that is closing says that it is ready',
    file: 'src/connection/connection.ts',
    right: 'if (this.#hub.isClosed) throw this.#closed()',
    wrong: '',
  },
]

/** Puts a bug into the text of its file. Throws when the file has changed so that it does not fit. */
export function plant({ name, file, right, wrong }: Bug, text: string): string {
  const parts = text.split(right)
  if (parts.length === 2) return parts.join(wrong)
  throw new Error(`"${right}" is ${parts.length - 1} times in ${file}, not once: mend the bug "${name}".`)
}
