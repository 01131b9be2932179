import type { Topic, Transport, TransportHost } from 'rivulet'
import { type Flaw, hosted, type WrongTransport, wrong } from './wrong-transport.ts'

export const wrongDelivery: readonly WrongTransport[] = [
  wrong('sends every frame twice', sendsTwice, [
    'delivers each frame once to every other transport that joined',
    'delivers nothing of another topic',
    'ends a join that is left before it is confirmed',
    'hands frames over byte for byte',
    'sends the frames that were sent before close',
    'passes watched frames to watched, and joined ones to receive, too',
    'watches a hub exactly when the capability watch says so',
    'watches until its signal aborts, and again',
    'has delivered everything when flush resolves',
    'receives each frame once after leaving and joining again',
    'receives nothing that was sent before the join',
    'keeps the order of frames exactly when ordered is true',
    'keeps nothing of a join that its signal aborts',
    'leaves the bytes of the sender and of other receivers alone',
    'opens again after close without frames of before',
    'opens again after down without frames of before',
    'sends from inside receive',
  ]),
  wrong('loses one frame in fifty', losesSome, [
    'calls nothing of its host after close',
    'delivers each frame once to every other transport that joined',
    'sends the frames that were sent before close',
    'has delivered everything when flush resolves',
    'receives each frame once after leaving and joining again',
    'receives the frames that are sent right after a join resolves',
    'keeps the order of frames exactly when ordered is true',
  ]),
  wrong(
    'tells topics apart without regard to case',
    mapsTopics((topic) => topic.toLowerCase()),
    ['delivers nothing of another topic'],
  ),
  wrong(
    'writes _ for what it cannot spell in a topic',
    mapsTopics((topic) => topic.replace(/%../g, '_')),
    ['delivers nothing of another topic'],
  ),
  wrong(
    'cuts long topics',
    mapsTopics((topic) => topic.slice(0, 255)),
    ['delivers nothing of another topic'],
  ),
  wrong('keeps its topics as keys of an object', keepsTopicsInObject, ['delivers nothing of another topic']),
  wrong('takes frames for text', takesForText, [
    'hands frames over byte for byte',
    'takes frames up to maxFrameBytes and survives a larger one',
  ]),
  wrong('drops empty frames', hosted(dropsEmpty), ['hands frames over byte for byte']),
  wrong('sends the whole memory behind a view', sendsWholeBuffer, [
    'leaves the bytes of the sender and of other receivers alone',
  ]),
  wrong('masks the bytes of the sender in place', masksInPlace, [
    'hands frames over byte for byte',
    'leaves the bytes of the sender and of other receivers alone',
    'takes frames up to maxFrameBytes and survives a larger one',
  ]),
  wrong('hands all receivers the same bytes', sharesBytes(), [
    'leaves the bytes of the sender and of other receivers alone',
  ]),
  wrong('drops what is sent from inside receive', dropsReentrant, ['sends from inside receive']),
  wrong('goes deaf when receive throws', hosted(goesDeaf), ['goes on when receive throws']),
  wrong('falls when receive throws', hosted(falls), ['goes on when receive throws']),
]

function sendsTwice(right: Transport): Partial<Transport> {
  return {
    send: (topic, frame) => {
      right.send(topic, frame)
      return right.send(topic, frame)
    },
  }
}

function losesSome(right: Transport): Partial<Transport> {
  let count = 0
  return { send: (topic, frame) => (++count % 50 === 0 ? 'sent' : right.send(topic, frame)) }
}

/** Lets topics that map to the same one share their frames. */
function mapsTopics(map: (topic: Topic) => string): Flaw {
  return (right) => {
    const joined = new Set<Topic>()
    const sharing = (shared: Topic) => [...joined].filter((topic) => map(topic) === shared)
    return {
      open: (host, signal) => {
        const receive = (shared: Topic, frame: Uint8Array | string) => {
          for (const topic of sharing(shared)) host.receive(topic, frame)
        }
        joined.clear()
        const down = (cause?: Error) => host.down(cause)
        return right.open(
          {
            hub: host.hub,
            receive,
            watched: (topic, frame) => host.watched(topic, frame),
            down,
            error: (topic, cause) => host.error(topic, cause),
            left: (topic, cause) => host.left(topic, cause),
          },
          signal,
        )
      },
      send: (topic, frame) => right.send(map(topic) as Topic, frame),
      join: async (topic, signal) => {
        await right.join(map(topic) as Topic, signal)
        joined.add(topic)
      },
      leave: (topic) => {
        joined.delete(topic)
        if (sharing(map(topic) as Topic).length === 0) right.leave(map(topic) as Topic)
      },
    }
  }
}

function keepsTopicsInObject(right: Transport): Partial<Transport> {
  const joined: Record<string, true> = {}
  const nameOf = (topic: Topic) => topic.slice(topic.lastIndexOf('/') + 1)
  const isJoined = (topic: Topic) => Object.keys(joined).includes(nameOf(topic))
  const filter = hosted((host) => ({
    receive: (topic, frame) => {
      if (isJoined(topic)) host.receive(topic, frame)
    },
  }))
  return {
    ...filter(right),
    join: (topic, signal) => {
      joined[nameOf(topic)] = true
      return right.join(topic, signal)
    },
  }
}

function takesForText(right: Transport): Partial<Transport> {
  const text = (frame: Uint8Array | string) =>
    typeof frame === 'string' ? frame : new TextDecoder().decode(frame)
  return { send: (topic, frame) => right.send(topic, text(frame)) }
}

function dropsEmpty(host: TransportHost): Partial<TransportHost> {
  return {
    receive: (topic, frame) => {
      if (frame.length > 0) host.receive(topic, frame)
    },
  }
}

function sendsWholeBuffer(right: Transport): Partial<Transport> {
  const whole = (frame: Uint8Array | string) =>
    typeof frame === 'string' ? frame : new Uint8Array(frame.buffer)
  return { send: (topic, frame) => right.send(topic, whole(frame)) }
}

function masksInPlace(right: Transport): Partial<Transport> {
  return {
    send: (topic, frame) => {
      const outcome = right.send(topic, frame)
      if (typeof frame !== 'string') frame.fill(0)
      return outcome
    },
  }
}

function sharesBytes(): Flaw {
  const frames = new Map<string, Uint8Array | string>()
  return hosted((host) => ({
    receive: (topic, frame) => {
      const key = `${topic} ${frame}`
      if (!frames.has(key)) frames.set(key, frame)
      host.receive(topic, frames.get(key) ?? frame)
    },
  }))
}

function dropsReentrant(right: Transport): Partial<Transport> {
  let isReceiving = false
  const receiving = hosted((host) => ({
    receive: (topic, frame) => {
      isReceiving = true
      try {
        host.receive(topic, frame)
      } finally {
        isReceiving = false
      }
    },
  }))
  return {
    ...receiving(right),
    send: (topic, frame) => (isReceiving ? 'sent' : right.send(topic, frame)),
  }
}

function goesDeaf(host: TransportHost): Partial<TransportHost> {
  let isDeaf = false
  return {
    receive: (topic, frame) => {
      if (isDeaf) return
      try {
        host.receive(topic, frame)
      } catch {
        isDeaf = true
      }
    },
  }
}

function falls(host: TransportHost): Partial<TransportHost> {
  return {
    receive: (topic, frame) => {
      try {
        host.receive(topic, frame)
      } catch (thrown) {
        host.down(new Error('receive threw', { cause: thrown }))
      }
    },
  }
}
