import { strictEqual } from 'node:assert'
import { HIGH_LIMIT } from '../limit.mjs'
import { timedCase } from '../measure.mjs'
import { messagesOf, SMALL_BYTES } from '../messages.mjs'
import { handMade } from '../rivals/hand-made.mjs'
import { rivulet } from '../rivals/rivulet.mjs'

// One message, and then none for a quarter of an hour.
const LOW_LIMIT = { ratePerSecond: 0.001, burst: 1 }
const small = messagesOf(SMALL_BYTES)[0]
const tooLarge = messagesOf(5_000)[0]
const huge = { text: 'x'.repeat(1_000_000) }
const cyclic = { ...small, self: {} }
cyclic.self.back = cyclic.self

export const suite = {
  title: 'Refuse a publish',
  reading:
    'Nanoseconds a publish that is refused, beside one that is accepted with one subscriber. A flood that is refused should cost less than one that is let through.',
  plan: () => ({
    cases: [
      caseOf('over the rate limit', LOW_LIMIT, small, 'RATE_LIMITED'),
      caseOf('5 000 bytes, 4 096 allowed', HIGH_LIMIT, tooLarge, 'PAYLOAD_TOO_LARGE'),
      caseOf('a string of a million characters', HIGH_LIMIT, huge, 'PAYLOAD_TOO_LARGE'),
      caseOf('a cycle', HIGH_LIMIT, cyclic, 'INVALID_DATA'),
    ],
  }),
}

function caseOf(name, limit, data, code) {
  const contenders = [
    contender('tryPublish, refused', rivulet, limit, (stream) => stream.tryPublish(data).code === code),
    contender('publish, refused', rivulet, limit, (stream) => {
      try {
        stream.publish(data)
        return false
      } catch (error) {
        return error.code === code
      }
    }),
    contender('tryPublish, accepted', rivulet, HIGH_LIMIT, (stream) => stream.tryPublish(small).ok),
    contender('publish, refused', handMade, limit, (stream) => {
      try {
        stream.publish(data)
        return false
      } catch {
        return true
      }
    }),
  ]
  return timedCase({ name, parameters: { code }, unit: 'a call', contenders })
}

/** Makes a contender. `attempt` returns whether its outcome was the expected one. */
function contender(what, { name, group, open: openHub, subscribe }, limit, attempt) {
  return {
    ...{ name: `${name} ${what}`, group },
    open() {
      const hub = openHub({ limit })
      const stream = hub.stream('bench')
      const counts = { received: 0, attempts: 0, wrong: 0 }
      if (limit === LOW_LIMIT) stream.publish(small)
      subscribe(stream, () => {
        counts.received++
      })
      return {
        run() {
          counts.attempts++
          if (!attempt(stream)) counts.wrong++
        },
        check() {
          strictEqual(counts.wrong, 0)
          strictEqual(counts.received, what.endsWith('accepted') ? counts.attempts : 0)
        },
        close: () => hub.close(),
      }
    },
  }
}
