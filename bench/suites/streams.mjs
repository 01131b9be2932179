import { strictEqual } from 'node:assert'
import EventEmitter3 from 'eventemitter3'
import { createHub } from 'rivulet'
import { Subject } from 'rxjs'
import { HIGH_LIMIT } from '../limit.mjs'
import { timedCase } from '../measure.mjs'
import { messagesOf, SMALL_BYTES } from '../messages.mjs'
import { HandMadeStream } from '../rivals/hand-made.mjs'

const COUNTS = [1, 1_000, 100_000, 1_000_000]
const messages = messagesOf(SMALL_BYTES)

export const suite = {
  title: 'Publish round robin on many streams',
  reading:
    'Nanoseconds a publish when each goes to the next of N streams with one subscriber each. Opening with a subscriber, and the first publish on each, are timed once and noted below. Streams are held by the caller; nothing is looked up by name.',
  chart: { kind: 'lines', x: 'streams' },
  plan({ isQuick }) {
    const openings = []
    const counts = isQuick ? [1, 1_000] : COUNTS
    const cases = counts.map((count) => caseOf(count, openings))
    return { cases, notes: () => [`Opening with a subscriber + the first publish: ${openings.join('; ')}.`] }
  },
}

function caseOf(count, openings) {
  const contenders = kinds.map((kind) => contender(kind, count, openings))
  const name = `${count.toLocaleString('en')} streams`
  return timedCase({ name, parameters: { streams: count }, unit: 'a publish', contenders })
}

function contender({ name, group, opener, publish }, count, openings) {
  return {
    ...{ name, group },
    open() {
      const tally = new Int32Array(count)
      const names = Array.from(tally, (_, index) => `vehicles/truck-${index}`)
      const startMs = performance.now()
      const { open, close } = opener()
      const streams = names.map((each, index) => subscribed(open(each), tally, index))
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
        close,
      }
    },
  }
}

/** What a stream makes only when it is first published to is made here, not while round robin is timed. */
function firstPublishes(streams, publish) {
  const startMs = performance.now()
  for (const [index, stream] of streams.entries()) publish(stream, messages[index & (messages.length - 1)])
  return Math.round(((performance.now() - startMs) / streams.length) * 1e6)
}

function subscribed(stream, tally, index) {
  const listener = () => {
    tally[index]++
  }
  if ('subscribe' in stream) stream.subscribe(listener)
  else stream.on('message', listener)
  return stream
}

/** Round robin: everybody got the whole rounds, and those before the last stop one more. */
function checkTally(name, tally, published) {
  const rounds = Math.floor(published / tally.length)
  const rest = published % tally.length
  const wrong = tally.findIndex((calls, index) => calls !== rounds + (index < rest ? 1 : 0))
  strictEqual(wrong, -1, `${name}: stream ${wrong} of ${tally.length} got ${tally[wrong]} messages`)
}

const kinds = [
  {
    ...{ name: 'Rivulet publish', group: 'rivulet' },
    opener() {
      const hub = createHub({ streamDefaults: { limit: HIGH_LIMIT } })
      return { open: (name) => hub.stream(name), close: () => hub.close() }
    },
    publish: (stream, data) => stream.publish(data),
  },
  {
    ...{ name: 'same contract, hand-made', group: 'contract' },
    opener: () => mapOf(() => new HandMadeStream()),
    publish: (stream, data) => stream.publish(data),
  },
  {
    ...{ name: 'RxJS Subject', group: 'bare' },
    opener: () => mapOf(() => new Subject()),
    publish: (stream, data) => stream.next(data),
  },
  {
    ...{ name: 'EventEmitter3', group: 'bare' },
    opener: () => mapOf(() => new EventEmitter3()),
    publish: (emitter, data) => emitter.emit('message', data),
  },
]

/** Streams by name, as a program without a hub would keep them. */
function mapOf(create) {
  const streams = new Map()
  const open = (name) => {
    const stream = create()
    streams.set(name, stream)
    return stream
  }
  return { open, close: () => streams.clear() }
}
