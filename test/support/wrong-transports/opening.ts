import type { Topic, Transport, TransportHost } from 'rivulet'
import { endless, hosted, never, type WrongTransport, watched, wrong } from './wrong-transport.ts'

export const wrongOpening: readonly WrongTransport[] = [
  wrong('opens in spite of an aborted signal', (right) => ({ open: (host) => right.open(host, endless) }), [
    'rejects an open whose signal is aborted',
  ]),
  wrong('hangs in open when its signal aborts', hangsWhenAborted, [
    'rejects an open whose signal is aborted',
  ]),
  wrong('claims to be open while the backend is away', opensAnyway, [
    'rejects open while the backend is away, and opens when it is back',
  ]),
  wrong(
    'keeps silent about an outage',
    hosted(() => ({ down: () => {} })),
    [
      'calls nothing of its host after close',
      'closes after the backend went away',
      'never throws from send or leave, whatever its state',
      'opens again after down without frames of before',
      'rejects a flush unless open',
      'rejects a join unless open',
      'reports once that the backend went away',
      'says offline before open, after close and after down',
      'sends nothing later that it called offline',
    ],
  ),
  wrong('reports an outage twice', hosted(reportsTwice), ['reports once that the backend went away']),
  wrong('keeps calling its first host', keepsFirstHost, [
    'closes after the backend went away',
    'closes at once when the signal is aborted',
    'closes twice at once',
    'closes when it is closed',
    'closes when it is open',
    'closes while it is opening',
    'never throws from send or leave, whatever its state',
    'opens again after close without frames of before',
    'opens again after down without frames of before',
    'rejects a flush unless open',
    'rejects a join unless open',
    'rejects an open whose signal is aborted',
    'rejects open while the backend is away, and opens when it is back',
    'says offline before open, after close and after down',
    'sends nothing later that it called offline',
  ]),
  wrong('joins again by itself', joinsAgain, [
    'opens again after close without frames of before',
    'opens again after down without frames of before',
  ]),
  wrong('cannot be opened again', opensOnce, [
    'closes after the backend went away',
    'closes at once when the signal is aborted',
    'closes twice at once',
    'closes when it is closed',
    'closes when it is open',
    'closes while it is opening',
    'has delivered everything when flush resolves',
    'never throws from send or leave, whatever its state',
    'opens again after close without frames of before',
    'opens again after down without frames of before',
    'rejects a flush unless open',
    'rejects a join unless open',
    'rejects an open whose signal is aborted',
    'rejects open while the backend is away, and opens when it is back',
    'says offline before open, after close and after down',
    'sends nothing later that it called offline',
  ]),
  wrong('throws in send when it is not open', throwsWhenOffline, [
    'closes after the backend went away',
    'closes when it is closed',
    'closes when it is open',
    'closes when it was never open',
    'closes while it is opening',
    'never throws from send or leave, whatever its state',
    'rejects an open whose signal is aborted',
    'rejects open while the backend is away, and opens when it is back',
    'says offline before open, after close and after down',
    'sends nothing later that it called offline',
    'takes frames up to maxFrameBytes and survives a larger one',
  ]),
  wrong('throws in leave of a topic that is not joined', throwsInLeave, [
    'never throws from send or leave, whatever its state',
  ]),
  wrong('calls sent what it cannot send', (right) => ({ send: (...args) => right.send(...args) && 'sent' }), [
    'closes after the backend went away',
    'closes when it is closed',
    'closes when it is open',
    'closes when it was never open',
    'closes while it is opening',
    'rejects an open whose signal is aborted',
    'rejects open while the backend is away, and opens when it is back',
    'says offline before open, after close and after down',
  ]),
  wrong('sends later what it called offline', sendsLater, ['sends nothing later that it called offline']),
]

function hangsWhenAborted(right: Transport): Partial<Transport> {
  return {
    open: (host, signal) =>
      right.open(host, signal).catch((cause) => (signal.aborted ? never : Promise.reject(cause))),
  }
}

function opensAnyway(right: Transport): Partial<Transport> {
  return {
    open: (host, signal) => right.open(host, signal).catch(() => signal.throwIfAborted()),
  }
}

function reportsTwice(host: TransportHost): Partial<TransportHost> {
  return {
    down: (cause) => {
      host.down(cause)
      host.down(cause)
    },
  }
}

function keepsFirstHost(right: Transport): Partial<Transport> {
  let first: TransportHost | undefined
  return {
    open: (host, signal) => {
      first ??= host
      return right.open(first, signal)
    },
  }
}

function joinsAgain(right: Transport): Partial<Transport> {
  const topics = new Set<Topic>()
  return {
    open: async (host, signal) => {
      await right.open(host, signal)
      for (const topic of topics) await right.join(topic, endless)
    },
    join: async (topic, signal) => {
      await right.join(topic, signal)
      topics.add(topic)
    },
    leave: (topic) => {
      topics.delete(topic)
      right.leave(topic)
    },
  }
}

function opensOnce(right: Transport): Partial<Transport> {
  let isUsed = false
  return {
    open: async (host, signal) => {
      if (isUsed) throw new Error('used up')
      isUsed = true
      await right.open(host, signal)
    },
  }
}

function throwsWhenOffline(right: Transport): Partial<Transport> {
  return {
    send: (topic, frame) => {
      const outcome = right.send(topic, frame)
      if (outcome === 'offline') throw new Error('not open')
      return outcome
    },
  }
}

function throwsInLeave(right: Transport): Partial<Transport> {
  const joined = new Set<Topic>()
  return {
    join: (topic, signal) => {
      joined.add(topic)
      return right.join(topic, signal)
    },
    leave: (topic) => {
      if (!joined.delete(topic)) throw new Error('not joined')
      right.leave(topic)
    },
  }
}

function sendsLater(right: Transport): Partial<Transport> {
  const watch = watched(right)
  const kept: Parameters<typeof right.send>[] = []
  return {
    ...watch.methods,
    open: async (host, signal) => {
      await watch.methods.open?.(host, signal)
      for (const args of kept.splice(0)) right.send(...args)
    },
    send: (...args) => {
      const outcome = right.send(...args)
      if (outcome === 'offline') kept.push(args)
      return outcome
    },
  }
}
