import { strictEqual } from 'node:assert'
import { HIGH_LIMIT } from '../limit.mjs'
import { timedCase } from '../measure.mjs'
import { messagesOf, SMALL_BYTES } from '../messages.mjs'
import { eventEmitter3, subject } from '../rivals/emitters.mjs'
import { handMade } from '../rivals/hand-made.mjs'
import { rivulet } from '../rivals/rivulet.mjs'

const RIVALS = [rivulet, handMade, subject, eventEmitter3]
const COUNTS = [1, 1_000, 100_000, 1_000_000]
const messages = messagesOf(SMALL_BYTES)

export const suite = {
  title: 'Publish round robin on many streams',
  reading:
    'Nanoseconds a publish when each goes to the next of N streams with one subscriber each. Opening with a subscriber, and the first publish on each, are timed once and noted below. Streams are held by the caller; nothing is looked up by name.',
  lines: 'streams',
  plan({ isQuick }) {
    const openings = []
    const counts = isQuick ? [1, 1_000] : COUNTS
    const cases = counts.map((count) => caseOf(count, openings))
    return { cases, notes: () => [`Opening with a subscriber + the first publish: ${openings.join('; ')}.`] }
  },
}

function caseOf(count, openings) {
  const contenders = RIVALS.map((rival) => contender(rival, count, openings))
  const name = `${count.toLocaleString('en')} stream${count === 1 ? '' : 's'}`
  return timedCase({ name, parameters: { streams: count }, unit: 'a publish', contenders })
}

function contender({ name, group, open: openHub, subscribe, publish }, count, openings) {
  return {
    ...{ name, group },
    open() {
      const tally = new Int32Array(count)
      const names = Array.from(tally, (_, index) => `vehicles/truck-${index}`)
      const startMs = performance.now()
      const hub = openHub({ limit: HIGH_LIMIT })
      const streams = names.map((each, index) => {
        const stream = hub.stream(each)
        subscribe(stream, () => {
          tally[index]++
        })
        return stream
      })
      const nanoseconds = Math.round(((performance.now() - startMs) / count) * 1e6)
      const firstNs = firstPublishes(streams, publish)
      if (count > 1)
        openings.push(`${name} ${nanoseconds} + ${firstNs} ns each of ${count.toLocaleString('en')}`)
      let published = count
      return {
        run() {
          publish(streams[published % count], messages[published & (messages.length - 1)])
          published++
        },
        check: () => checkTally(name, tally, published),
        close: () => hub.close(),
      }
    },
  }
}

/** Publishes once on each stream, so that its lazy parts are made before the round robin is timed. */
function firstPublishes(streams, publish) {
  const startMs = performance.now()
  for (const [index, stream] of streams.entries()) publish(stream, messages[index & (messages.length - 1)])
  return Math.round(((performance.now() - startMs) / streams.length) * 1e6)
}

/** Checks the round robin: every stream got the whole rounds, and those before the last stop one more. */
function checkTally(name, tally, published) {
  const rounds = Math.floor(published / tally.length)
  const rest = published % tally.length
  const wrong = tally.findIndex((calls, index) => calls !== rounds + (index < rest ? 1 : 0))
  strictEqual(wrong, -1, `${name}: stream ${wrong} of ${tally.length} got ${tally[wrong]} messages`)
}
