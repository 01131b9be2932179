import { Subject } from 'rxjs'
import { DEFAULT_MAX_BYTES, HIGH_LIMIT } from '../limit.mjs'
import { NamedStreams } from './rival.mjs'

/**
 * The same contract as a competent user would write it with RxJS: a rate limit, only objects, a cap in bytes, a
 * copy that the publisher cannot change any more, optionally a schema. It lacks the parts that take more than a page:
 * one order for all when a subscriber publishes, a copy that subscribers cannot change either, and counting.
 */
class HandMadeStream {
  #subject = new Subject()
  #maxBytes
  #schema
  #ratePerMs
  #burst
  #level = 0
  #atMs = performance.now()
  #sequence = 0

  constructor({ limit = HIGH_LIMIT, maxBytes = DEFAULT_MAX_BYTES, schema } = {}) {
    this.#maxBytes = maxBytes
    this.#schema = schema
    this.#ratePerMs = limit.ratePerSecond / 1000
    this.#burst = limit.burst
  }

  publish(data) {
    const nowMs = performance.now()
    this.#level = Math.max(0, this.#level - (nowMs - this.#atMs) * this.#ratePerMs)
    this.#atMs = nowMs
    if (this.#level + 1 > this.#burst) throw new Error('The rate limit is reached.')
    const text = JSON.stringify(data)
    if (text === undefined || text[0] !== '{') throw new Error('The data is not an object.')
    if (Buffer.byteLength(text) > this.#maxBytes) throw new Error('The data is too large.')
    const copy = JSON.parse(text)
    const checked = this.#schema === undefined ? copy : this.#schema.parse(copy)
    this.#level += 1
    const message = { sequence: ++this.#sequence, data: checked }
    this.#subject.next(message)
    return message
  }

  subscribe(listener) {
    return this.#subject.subscribe(listener)
  }
}

/** @type {import('./rival.mjs').Rival} */
export const handMade = {
  ...{ name: 'same contract, hand-made', group: 'contract', read: (message) => message.data },
  open: (options) => new NamedStreams(() => new HandMadeStream(options)),
  subscribe: (stream, listener) => stream.subscribe(listener),
  leave: (_stream, _listener, subscription) => subscription.unsubscribe(),
  publish: (stream, data) => stream.publish(data),
}
