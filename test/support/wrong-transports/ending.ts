import type { Topic, Transport, TransportHost } from 'rivulet'
import {
  endless,
  type Flaw,
  never,
  receiveGuarded,
  type WrongTransport,
  watched,
  wrong,
} from './wrong-transport.ts'

export const wrongEnding: readonly WrongTransport[] = [
  wrong('calls flushed what has not left', flushesEarly, [
    'has delivered everything when flush resolves',
    'receives each frame once after leaving and joining again',
    'receives nothing that was sent before the join',
  ]),
  wrong('flushes in spite of an aborted signal', (right) => ({ flush: () => right.flush(endless) }), [
    'rejects a flush whose signal is aborted',
  ]),
  wrong('flushes without being open', () => ({ flush: async (signal) => signal.throwIfAborted() }), [
    'rejects a flush unless open',
    'rejects a flush whose signal is aborted',
  ]),
  wrong('never answers a flush without being open', hangsInFlush, ['rejects a flush unless open']),
  wrong('never ends close', () => ({ close: () => never }), [
    'calls nothing of its host after close',
    'closes after the backend went away',
    'closes at once when the signal is aborted',
    'closes twice at once',
    'closes when it is closed',
    'closes when it is open',
    'closes when it was never open',
    'closes while it is opening',
    'sends the frames that were sent before close',
    'has delivered everything when flush resolves',
    'never throws from send or leave, whatever its state',
    'opens again after close without frames of before',
    'rejects a flush unless open',
    'rejects a join unless open',
    'says offline before open, after close and after down',
    'sends nothing later that it called offline',
  ]),
  wrong(
    'never ends close when it is not open',
    closesOpen(() => never),
    [
      'closes after the backend went away',
      'closes twice at once',
      'closes when it is closed',
      'closes when it was never open',
      'closes while it is opening',
    ],
  ),
  wrong(
    'rejects close when it is not open',
    closesOpen(() => Promise.reject(new Error('not open'))),
    [
      'closes after the backend went away',
      'closes twice at once',
      'closes when it is closed',
      'closes when it was never open',
      'closes while it is opening',
    ],
  ),
  wrong('never ends close when its signal aborts', hangsWhenAborted, [
    'closes at once when the signal is aborted',
    'has delivered everything when flush resolves',
  ]),
  wrong('drops what was sent right before close', dropsAtClose, [
    'sends the frames that were sent before close',
  ]),
  wrong('reports its own close as an outage', reportsClose, ['calls nothing of its host after close']),
  wrong('delivers for a while after close', deliversLate, ['calls nothing of its host after close']),
  wrong('stays open after close', (right) => ({ close: async () => right.flush(endless).catch(() => {}) }), [
    'calls nothing of its host after close',
    'closes at once when the signal is aborted',
    'closes twice at once',
    'closes when it is closed',
    'closes when it is open',
    'closes while it is opening',
    'has delivered everything when flush resolves',
    'never throws from send or leave, whatever its state',
    'opens again after close without frames of before',
    'rejects a flush unless open',
    'rejects a join unless open',
    'says offline before open, after close and after down',
  ]),
  wrong('never settles an open that is closed', hangsInOpen, ['closes while it is opening']),
]

/** Sends a moment later than it says. */
function buffered(right: Transport) {
  const watch = watched(right)
  const kept: [Topic, Uint8Array | string][] = []
  const drain = () => {
    for (const [topic, frame] of kept.splice(0)) right.send(topic, frame)
  }
  const send: Transport['send'] = (topic, frame) => {
    if (!watch.isOpen) return 'offline'
    if (kept.length === 0) setTimeout(drain, 5)
    kept.push([topic, frame])
    return 'sent'
  }
  return { ...watch.methods, kept, drain, send }
}

function flushesEarly(right: Transport): Partial<Transport> {
  const { kept, drain, ...methods } = buffered(right)
  return {
    ...methods,
    close: async (signal) => {
      if (signal.aborted) kept.length = 0
      drain()
      await methods.close?.(signal)
    },
  }
}

function dropsAtClose(right: Transport): Partial<Transport> {
  const { kept, drain, ...methods } = buffered(right)
  return {
    ...methods,
    flush: (signal) => {
      drain()
      return right.flush(signal)
    },
    close: async (signal) => {
      kept.length = 0
      await methods.close?.(signal)
    },
  }
}

function hangsInFlush(right: Transport): Partial<Transport> {
  return {
    flush: (signal) =>
      right.flush(signal).catch(() => {
        signal.throwIfAborted()
        return never
      }),
  }
}

function closesOpen(otherwise: () => Promise<void>): Flaw {
  return (right) => {
    const watch = watched(right)
    const close = async (signal: AbortSignal) => {
      const wasOpen = watch.isOpen
      await watch.methods.close?.(signal)
      if (!wasOpen) await otherwise()
    }
    return { ...watch.methods, close }
  }
}

function hangsWhenAborted(right: Transport): Partial<Transport> {
  return {
    close: async (signal) => {
      await right.close(signal)
      if (signal.aborted) await never
    },
  }
}

function reportsClose(right: Transport): Partial<Transport> {
  let host: TransportHost | undefined
  return {
    open: async (opened, signal) => {
      await right.open(opened, signal)
      host = opened
    },
    close: async (signal) => {
      await right.close(signal)
      host?.down()
      host = undefined
    },
  }
}

/** Hears late, and looks only at who was joined. */
function deliversLate(right: Transport): Partial<Transport> {
  const joined = new Set<Topic>()
  return {
    open: (host, signal) => {
      const receive = (topic: Topic, frame: Uint8Array | string) => {
        setTimeout(() => joined.has(topic) && receiveGuarded(host, topic, frame), 5)
      }
      return right.open(
        {
          hub: host.hub,
          receive,
          watched: (topic, frame) => host.watched(topic, frame),
          down: (cause) => host.down(cause),
          error: () => {},
          left: () => {},
        },
        signal,
      )
    },
    join: (topic, signal) => {
      joined.add(topic)
      return right.join(topic, signal)
    },
    leave: (topic) => {
      joined.delete(topic)
      right.leave(topic)
    },
  }
}

function hangsInOpen(right: Transport): Partial<Transport> {
  return {
    open: (host, signal) =>
      right
        .open(host, signal)
        .catch((cause: Error) => (/closed while/.test(cause.message) ? never : Promise.reject(cause))),
  }
}
