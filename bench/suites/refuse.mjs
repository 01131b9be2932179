import { strictEqual } from 'node:assert'
import { createHub } from 'rivulet'
import { HIGH_LIMIT } from '../limit.mjs'
import { timedCase } from '../measure.mjs'
import { messagesOf, SMALL_BYTES } from '../messages.mjs'
import { HandMadeStream } from '../rivals/hand-made.mjs'

// One message, and then none for a quarter of an hour.
const LOW_LIMIT = { ratePerSecond: 0.001, burst: 1 }
const MAX_BYTES = 4_096
const small = messagesOf(SMALL_BYTES)[0]
const tooLarge = messagesOf(5_000)[0]
const huge = { text: 'x'.repeat(1_000_000) }
const cyclic = { ...small, self: {} }
cyclic.self.back = cyclic.self

export const suite = {
  title: 'Refuse a publish',
  reading:
    'Nanoseconds a publish that is refused, beside one that is accepted with one subscriber. A flood that is refused should cost less than one that is let through.',
  chart: { kind: 'bars' },
  plan: () => ({
    cases: [
      caseOf('over the rate limit', LOW_LIMIT, small, 'RATE_LIMITED'),
      caseOf('5 000 bytes, 4 096 allowed', HIGH_LIMIT, tooLarge, 'PAYLOAD_TOO_LARGE'),
      caseOf('a string of a million characters', HIGH_LIMIT, huge, 'PAYLOAD_TOO_LARGE'),
      caseOf('a cycle', HIGH_LIMIT, cyclic, 'INVALID_DATA'),
    ],
  }),
}

function caseOf(name, limit, refused, code) {
  const contenders = [
    trying('Rivulet tryPublish, refused', limit, refused, code),
    throwing('Rivulet publish, refused', limit, refused, code),
    accepted,
    handMadeThrowing(limit, refused),
  ]
  return timedCase({ name, parameters: { code }, unit: 'a call', contenders })
}

const accepted = {
  ...{ name: 'Rivulet tryPublish, accepted', group: 'rivulet' },
  open() {
    const { hub, stream, counts } = openStream(HIGH_LIMIT)
    let tried = 0
    return {
      run() {
        tried++
        stream.tryPublish(small)
      },
      check: () => strictEqual(counts.received, tried),
      close: () => hub.close(),
    }
  },
}

function trying(name, limit, data, code) {
  return {
    ...{ name, group: 'rivulet' },
    open() {
      const { hub, stream, counts } = openStream(limit)
      let wrong = 0
      return {
        run() {
          if (stream.tryPublish(data).code !== code) wrong++
        },
        check: () => checkRefused(counts, wrong, limit),
        close: () => hub.close(),
      }
    },
  }
}

function throwing(name, limit, data, code) {
  return {
    ...{ name, group: 'rivulet' },
    open() {
      const { hub, stream, counts } = openStream(limit)
      let wrong = 0
      return {
        run() {
          try {
            stream.publish(data)
            wrong++
          } catch (error) {
            if (error.code !== code) wrong++
          }
        },
        check: () => checkRefused(counts, wrong, limit),
        close: () => hub.close(),
      }
    },
  }
}

function handMadeThrowing(limit, data) {
  return {
    ...{ name: 'same contract, hand-made, refused', group: 'contract' },
    open() {
      const stream = new HandMadeStream({ limit, maxBytes: MAX_BYTES })
      const counts = countsOf(stream, limit)
      let wrong = 0
      return {
        run() {
          try {
            stream.publish(data)
            wrong++
          } catch {}
        },
        check: () => checkRefused(counts, wrong, limit),
        close: () => stream.close(),
      }
    },
  }
}

function openStream(limit) {
  const hub = createHub()
  const stream = hub.stream('bench', { limit, maxBytes: MAX_BYTES })
  return { hub, stream, counts: countsOf(stream, limit) }
}

/** Subscribes a counter, and fills a low limit. */
function countsOf(stream, limit) {
  const counts = { received: 0 }
  stream.subscribe(() => {
    counts.received++
  })
  if (limit === LOW_LIMIT) stream.publish(small)
  return counts
}

function checkRefused({ received }, wrong, limit) {
  strictEqual(wrong, 0)
  strictEqual(received, limit === LOW_LIMIT ? 1 : 0)
}
