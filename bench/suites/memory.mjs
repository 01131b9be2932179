import { strictEqual } from 'node:assert'
import { EventEmitter } from 'node:events'
import Emittery from 'emittery'
import EventEmitter3 from 'eventemitter3'
import mitt from 'mitt'
import { createNanoEvents } from 'nanoevents'
import { createHub } from 'rivulet'
import { Subject } from 'rxjs'
import { liveBytes } from '../heap.mjs'
import { median } from '../median.mjs'
import { HandMadeStream } from '../rivals/hand-made.mjs'

const STREAMS = 100_000
const SUBSCRIBERS = 100_000

export const suite = {
  title: 'Bytes a stream, bytes a subscriber',
  reading:
    'Bytes of live heap for each of 100 000. Subscribers share one function, so that only what the library keeps is counted; streams are kept in a Map by their name, as a hub does.',
  chart: { kind: 'bars' },
  plan({ isQuick }) {
    const scale = isQuick ? 0.02 : 1
    return {
      cases: [
        heapCase('an idle stream with its name', 'a stream', STREAMS * scale, idleStreams),
        heapCase('a stream with one subscriber', 'a stream', STREAMS * scale, subscribedStreams),
        heapCase(
          'a stream that was published to, one subscriber',
          'a stream',
          STREAMS * scale,
          publishedStreams,
        ),
        heapCase('a subscriber', 'a subscriber', SUBSCRIBERS * scale, subscribers),
      ],
    }
  },
}

/** A maker returns what must stay alive, and how to see that it works: the calls of a publish to all. */
function heapCase(name, unit, count, makers) {
  return {
    ...{ name, parameters: { count }, unit: `bytes ${unit}`, isLessBetter: true },
    async measure({ rounds }, onProgress) {
      const racers = makers.map(([contender, group, make]) => ({ name: contender, group, make, rounds: [] }))
      for (let round = 0; round < rounds; round++) {
        for (const [index, racer] of (round % 2 === 0 ? racers : racers.toReversed()).entries()) {
          racer.rounds.push(await bytesOf(racer, count))
          onProgress((round + (index + 1) / racers.length) / rounds)
        }
      }
      return racers.map(({ make, ...racer }) => ({ ...racer, value: median(racer.rounds) }))
    },
  }
}

async function bytesOf({ name, make }, count) {
  let calls = 0
  const listener = () => {
    calls++
  }
  const names = Array.from({ length: count }, (_, index) => nameOf(index))
  const before = await liveBytes()
  const made = make(count, listener, names)
  const after = await liveBytes()
  calls = 0
  const expected = (await made.publishAll?.()) ?? 0
  strictEqual(calls, expected, `${name}: ${calls} of ${expected} calls`)
  await made.close?.()
  return (after - before) / count
}

/** A flat string of its own, as one that comes from a request. */
function nameOf(index) {
  return Buffer.from(`vehicles/truck-${index}`).toString('latin1')
}

function streams({ make, subscribe, publish, close }, { isSubscribed = false, isPublished = false } = {}) {
  return (count, listener, names) => {
    const open = new Map()
    const kept = make.length === 0 ? undefined : make // a hub keeps its streams itself
    const owner = kept === undefined ? make() : undefined
    for (const name of names) open.set(name, owner === undefined ? kept(name) : owner.stream(name))
    if (owner !== undefined) open.clear()
    const all = () => (owner === undefined ? open.values() : owner.streams())
    if (isSubscribed) for (const stream of all()) subscribe(stream, listener)
    if (isPublished) for (const stream of all()) publish(stream)
    return {
      publishAll() {
        for (const stream of all()) publish(stream)
        return isSubscribed ? count : 0
      },
      close: () => close?.(owner),
    }
  }
}

const kinds = [
  [
    ...['Rivulet', 'rivulet'],
    {
      make: () => createHub(),
      subscribe: (stream, listener) => stream.subscribe(listener),
      publish: (stream) => stream.publish({}),
      close: (hub) => hub.close(),
    },
  ],
  [
    ...['same contract, hand-made', 'contract'],
    {
      make: (_name) => new HandMadeStream(),
      subscribe: (stream, listener) => stream.subscribe(listener),
      publish: (stream) => stream.publish({}),
    },
  ],
  [
    ...['RxJS Subject', 'bare'],
    {
      make: (_name) => new Subject(),
      subscribe: (stream, listener) => stream.subscribe(listener),
      publish: (stream) => stream.next({}),
    },
  ],
  emitterKind('EventEmitter3', () => new EventEmitter3()),
  emitterKind('Node EventEmitter', () => new EventEmitter()),
  emitterKind('mitt', () => mitt()),
  emitterKind('nanoevents', () => createNanoEvents()),
]

function emitterKind(name, create) {
  return [
    ...[name, 'bare'],
    {
      make: (_name) => create(),
      subscribe: (emitter, listener) => emitter.on('message', listener),
      publish: (emitter) => emitter.emit('message', {}),
    },
  ]
}

const idleStreams = kinds.map(([name, group, kind]) => [name, group, streams(kind)])
const subscribedStreams = kinds.map(([name, group, kind]) => [
  name,
  group,
  streams(kind, { isSubscribed: true }),
])
const publishedStreams = kinds
  .slice(0, 3)
  .map(([name, group, kind]) => [name, group, streams(kind, { isSubscribed: true, isPublished: true })])

/** Keeps what subscribing returns, which is how a subscriber leaves. */
function subscribersOf(open) {
  return (count, listener) => {
    const { subscribe, publish } = open()
    const kept = []
    for (let index = 0; index < count; index++) kept.push(subscribe(listener))
    return {
      async publishAll() {
        await publish()
        return kept.length
      },
    }
  }
}

const subscribers = [
  [
    ...['Rivulet', 'rivulet'],
    subscribersOf(() => {
      const stream = createHub().stream('bench')
      return { subscribe: (listener) => stream.subscribe(listener), publish: () => stream.publish({}) }
    }),
  ],
  [
    ...['RxJS Subject', 'bare'],
    subscribersOf(() => {
      const stream = new Subject()
      return { subscribe: (listener) => stream.subscribe(listener), publish: () => stream.next({}) }
    }),
  ],
  emitterSubscribers('EventEmitter3', () => new EventEmitter3()),
  emitterSubscribers('Node EventEmitter', () => new EventEmitter().setMaxListeners(0)),
  emitterSubscribers('mitt', () => mitt()),
  emitterSubscribers('nanoevents', () => createNanoEvents()),
  emittery(),
]

/** With these a subscriber leaves by its function, and there is nothing to keep but that. */
function emitterSubscribers(name, create) {
  const open = () => {
    const emitter = create()
    return {
      subscribe: (listener) => emitter.on('message', listener),
      publish: () => emitter.emit('message', {}),
    }
  }
  return [name, 'bare', subscribersOf(open)]
}

/** It keeps functions in a Set: one function for all would be one subscriber. */
function emittery() {
  const open = () => {
    const emitter = new Emittery()
    const publish = () => emitter.emit('message', {})
    return { subscribe: (listener) => emitter.on('message', () => listener()), publish }
  }
  return ['emittery (with a closure each)', 'bare', subscribersOf(open)]
}
