import { strictEqual } from 'node:assert'
import { liveBytes } from '../heap.mjs'
import { alternate } from '../measure.mjs'
import { emittery } from '../rivals/buses.mjs'
import { eventEmitter3, mittEmitter, nanoEvents, nodeEventEmitter, subject } from '../rivals/emitters.mjs'
import { handMade } from '../rivals/hand-made.mjs'
import { rivulet } from '../rivals/rivulet.mjs'

const COUNT = 100_000
const EMITTERS = [subject, eventEmitter3, nodeEventEmitter, mittEmitter, nanoEvents]
/** Emittery with one closure per subscriber: it keeps functions in a Set, so one function would be one subscriber. */
const emitteryWithClosures = {
  ...{ ...emittery, name: 'emittery (with a closure each)' },
  subscribe: (emitter, listener) => emitter.on('message', () => listener()),
}

export const suite = {
  title: 'Bytes a stream, bytes a subscriber',
  reading:
    'Bytes of live heap for each of 100 000. Subscribers share one function, so that only what the library keeps is counted; streams are kept in a Map by their name, as a hub does.',
  plan({ isQuick }) {
    const count = COUNT * (isQuick ? 0.02 : 1)
    const all = [rivulet, handMade, ...EMITTERS]
    return {
      cases: [
        heapCase('an idle stream with its name', count, all, openStreams()),
        heapCase('a stream with one subscriber', count, all, openStreams({ isSubscribed: true })),
        heapCase(
          'a stream that was published to, one subscriber',
          count,
          all.slice(0, 3),
          openStreams({ isSubscribed: true, isPublished: true }),
        ),
        heapCase('a subscriber', count, [rivulet, ...EMITTERS, emitteryWithClosures], openSubscribers),
      ],
    }
  },
}

/** Makes a case. `make` returns the objects to keep alive, and a check: the calls of a publish to all. */
function heapCase(name, count, rivals, make) {
  return {
    ...{ name, parameters: { count }, unit: 'bytes each', isLessBetter: true },
    measure: (pace, onRound) =>
      alternate(rivals, { ...pace, warmUps: 0 }, onRound, (rival) => bytesOf(rival, count, make)),
  }
}

async function bytesOf(rival, count, make) {
  let calls = 0
  const listener = () => {
    calls++
  }
  const names = Array.from({ length: count }, (_, index) => nameOf(index))
  const before = await liveBytes()
  const made = make(rival, names, listener)
  const after = await liveBytes()
  calls = 0
  const expected = await made.publishAll()
  strictEqual(calls, expected, `${rival.name}: ${calls} of ${expected} calls`)
  await made.close()
  return (after - before) / count
}

/** Returns a new flat string, like one from a request. */
function nameOf(index) {
  return Buffer.from(`vehicles/truck-${index}`).toString('latin1')
}

function openStreams({ isSubscribed = false, isPublished = false } = {}) {
  return ({ open, subscribe, publish }, names, listener) => {
    const hub = open()
    for (const name of names) hub.stream(name)
    if (isSubscribed) for (const stream of hub.streams()) subscribe(stream, listener)
    if (isPublished) for (const stream of hub.streams()) publish(stream, {})
    return {
      publishAll() {
        for (const stream of hub.streams()) publish(stream, {})
        return isSubscribed ? names.length : 0
      },
      close: () => hub.close(),
    }
  }
}

/** Keeps the result of subscribing, with which a subscriber leaves. */
function openSubscribers({ open, subscribe, publish }, names, listener) {
  const hub = open()
  const stream = hub.stream('bench')
  const kept = names.map(() => subscribe(stream, listener))
  return {
    async publishAll() {
      await publish(stream, {})
      return kept.length
    },
    close: () => hub.close(),
  }
}
