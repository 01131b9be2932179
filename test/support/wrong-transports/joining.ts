import type { MemoryBus } from '@rivulet/memory'
import type { Topic, Transport, TransportHost } from 'rivulet'
import { endless, hosted, never, receiveGuarded, type WrongTransport, wrong } from './wrong-transport.ts'

type Frame = Uint8Array | string

export const wrongJoining: readonly WrongTransport[] = [
  wrong('confirms some joins too early', joinsEarly, [
    'receives the frames that are sent right after a join resolves',
  ]),
  wrong('hands over what was sent before the join', retains, [
    'ends a join that is left before it is confirmed',
    'receives each frame once after leaving and joining again',
    'receives nothing that was sent before the join',
    'keeps nothing of a join that its signal aborts',
    'sends nothing later that it called offline',
  ]),
  wrong('delivers for a while after leave', leavesLate, [
    'ends a join that is left before it is confirmed',
    'receives each frame once after leaving and joining again',
    'receives nothing after a leave inside receive',
    'passes watched frames to watched, and joined ones to receive, too',
    'receives nothing after leave returns',
  ]),
  wrong('delivers the rest of a batch after leave', deliversBatches, [
    'receives nothing after a leave inside receive',
  ]),
  wrong('hears twice what was joined twice', hearsTwice, [
    'receives each frame once after leaving and joining again',
  ]),
  wrong('joins in spite of an aborted signal', (right) => ({ join: (topic) => right.join(topic, endless) }), [
    'keeps nothing of a join that its signal aborts',
  ]),
  wrong('hears a topic although its join was aborted', joinsAborted, [
    'keeps nothing of a join that its signal aborts',
  ]),
  wrong('joins after all when it is left early', joinsAfterLeave, [
    'ends a join that is left before it is confirmed',
  ]),
  wrong('never settles a join that was left', hangsWhenLeft, [
    'ends a join that is left before it is confirmed',
  ]),
  wrong('joins without being open', joinsAnyway, ['rejects a join unless open']),
]

// Few enough joins are right for every check but the one that makes a hundred.
const RIGHT_JOINS = 40

function joinsEarly(right: Transport): Partial<Transport> {
  let count = 0
  return {
    join: async (topic, signal) => {
      const join = () => right.join(topic, signal).catch(() => {})
      if (++count > RIGHT_JOINS) setTimeout(join, 5)
      else await right.join(topic, signal)
    },
  }
}

const retained = new WeakMap<MemoryBus, Map<Topic, Frame>>()

function retains(right: Transport, bus: MemoryBus): Partial<Transport> {
  const kept = retained.get(bus) ?? new Map<Topic, Frame>()
  retained.set(bus, kept)
  let host: TransportHost
  return {
    open: (opened, signal) => {
      host = opened
      return right.open(opened, signal)
    },
    send: (topic, frame) => {
      kept.set(topic, frame)
      return right.send(topic, frame)
    },
    join: async (topic, signal) => {
      await right.join(topic, signal)
      const frame = kept.get(topic)
      if (frame !== undefined) host.receive(topic, frame)
    },
  }
}

function leavesLate(right: Transport): Partial<Transport> {
  const leaving = new Map<Topic, ReturnType<typeof setTimeout>>()
  return {
    join: (topic, signal) => {
      clearTimeout(leaving.get(topic))
      return right.join(topic, signal)
    },
    leave: (topic) => {
      leaving.set(
        topic,
        setTimeout(() => right.leave(topic)),
      )
    },
  }
}

/** Takes a batch out of its client first, and looks at who is joined only then. */
function deliversBatches(right: Transport): Partial<Transport> {
  let batch: [Topic, Frame][] = []
  const collecting = hosted((host) => ({
    receive: (topic, frame) => {
      if (batch.length === 0) queueMicrotask(() => deliver(host))
      batch.push([topic, frame])
    },
  }))
  const deliver = (host: TransportHost) => {
    for (const [topic, frame] of batch.splice(0)) receiveGuarded(host, topic, frame)
  }
  return {
    ...collecting(right),
    leave: (topic) => {
      batch = batch.filter(([joined]) => joined !== topic)
      right.leave(topic)
    },
    close: (signal) => {
      batch = []
      return right.close(signal)
    },
  }
}

function hearsTwice(right: Transport): Partial<Transport> {
  const joins = new Map<Topic, number>()
  const multiplying = hosted((host) => ({
    receive: (topic, frame) => {
      for (let nth = 0; nth < (joins.get(topic) ?? 1); nth += 1) host.receive(topic, frame)
    },
  }))
  return {
    open: (host, signal) => {
      joins.clear()
      return multiplying(right).open?.(host, signal) ?? never
    },
    join: async (topic, signal) => {
      await right.join(topic, signal)
      joins.set(topic, (joins.get(topic) ?? 0) + 1)
    },
  }
}

function joinsAborted(right: Transport): Partial<Transport> {
  return {
    join: async (topic, signal) => {
      await right.join(topic, endless)
      signal.throwIfAborted()
    },
  }
}

function joinsAfterLeave(right: Transport): Partial<Transport> {
  const joining = new Set<Topic>()
  return {
    join: async (topic, signal) => {
      joining.add(topic)
      await right.join(topic, signal).finally(() => joining.delete(topic))
    },
    leave: (topic) => {
      if (!joining.has(topic)) right.leave(topic)
    },
  }
}

function hangsWhenLeft(right: Transport): Partial<Transport> {
  return {
    join: (topic, signal) =>
      right
        .join(topic, signal)
        .catch((cause: Error) => (/was left/.test(cause.message) ? never : Promise.reject(cause))),
  }
}

function joinsAnyway(right: Transport): Partial<Transport> {
  return { join: (topic, signal) => right.join(topic, signal).catch(() => signal.throwIfAborted()) }
}
