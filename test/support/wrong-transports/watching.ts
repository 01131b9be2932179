import type { Topic, Transport, TransportHost } from 'rivulet'
import { claims, endless, hosted, type WrongTransport, wrong } from './wrong-transport.ts'

const AS_CLAIMED = 'watches a hub exactly when the capability watch says so'
const APART = 'passes watched frames to watched, and joined ones to receive, too'
const UNTIL = 'watches until its signal aborts, and again'
const YOUNG = 'ends a watch whose signal aborts some microtasks after the call'
const NOTHING_LEFT = 'leaves nothing of a watch whose signal has aborted, or that is not open'

export const wrongWatching: readonly WrongTransport[] = [
  wrong('claims that it can watch', () => ({ watch: () => Promise.reject(new Error('It cannot.')) }), [
    AS_CLAIMED,
    APART,
    UNTIL,
  ]),
  wrong('denies that it can watch', claims({ watch: false }), [AS_CLAIMED]),
  wrong('hands what is watched to receive', hosted(receivesWatched), [AS_CLAIMED, APART, UNTIL]),
  wrong('keeps what is joined from those that watch', hosted(hidesJoined), [APART, UNTIL]),
  wrong('hands what is watched over twice', hosted(watchesTwice), [AS_CLAIMED, APART, UNTIL]),
  wrong('hears other hubs too', watchesOthers, [AS_CLAIMED]),
  wrong('goes on watching after the signal has aborted', watchesOn, [UNTIL, YOUNG, NOTHING_LEFT]),
  wrong('listens to the signal of a watch only once that is confirmed', listensLate, [YOUNG]),
  wrong('watches without being open', watchesAnyway, [NOTHING_LEFT]),
]

function receivesWatched(host: TransportHost): Partial<TransportHost> {
  return { watched: (topic, frame) => host.receive(topic as Topic, frame) }
}

function hidesJoined(host: TransportHost): Partial<TransportHost> {
  const received = new Set<string>()
  return {
    receive: (topic, frame) => {
      received.add(topic)
      host.receive(topic, frame)
    },
    watched: (topic, frame) => (received.has(topic) ? undefined : host.watched(topic, frame)),
  }
}

function watchesTwice(host: TransportHost): Partial<TransportHost> {
  return {
    watched: (topic, frame) => {
      host.watched(topic, frame)
      host.watched(topic, frame)
    },
  }
}

function watchesOthers(right: Transport): Partial<Transport> {
  return {
    watch: async (hub, signal) => {
      await right.watch(hub, signal)
      await right.watch(`${hub}x`, signal)
    },
  }
}

function watchesOn(right: Transport): Partial<Transport> {
  return { watch: (hub) => right.watch(hub, endless) }
}

function listensLate(right: Transport): Partial<Transport> {
  return {
    watch: async (hub, signal) => {
      signal.throwIfAborted()
      const controller = new AbortController()
      await right.watch(hub, controller.signal)
      signal.addEventListener('abort', () => controller.abort())
    },
  }
}

function watchesAnyway(right: Transport): Partial<Transport> {
  return {
    watch: (hub, signal) => {
      signal.throwIfAborted()
      return right.watch(hub, signal).catch(() => {})
    },
  }
}
