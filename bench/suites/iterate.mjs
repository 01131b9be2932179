import { strictEqual } from 'node:assert'
import { EventEmitter, on } from 'node:events'
import Emittery from 'emittery'
import { PubSub } from 'graphql-subscriptions'
import { createHub } from '../bundle.mjs'
import { HIGH_LIMIT } from '../limit.mjs'
import { timedCase } from '../measure.mjs'
import { messagesOf, SMALL_BYTES } from '../messages.mjs'

const BURST = 100
const messages = messagesOf(SMALL_BYTES)

export const suite = {
  title: 'Read through an async iterator',
  reading:
    'Nanoseconds from a publish until a `for await` loop has the message: in bursts of 100 that the buffer holds, and one at a time. Only Rivulet checks, caps, limits and copies; only its buffer is bounded.',
  plan: () => ({ cases: [caseOf('bursts of 100', BURST), caseOf('one at a time', 1)] }),
}

function caseOf(name, burst) {
  const contenders = kinds.map((kind) => contender(kind, burst))
  return timedCase({ name, parameters: { burst }, unit: 'a message', contenders })
}

function contender({ name, group, open }, burst) {
  return {
    ...{ name, group },
    open() {
      const { publish, iterator, read } = open()
      const reader = readerOf(iterator, read)
      let published = 0
      return {
        ...{ isAsync: true, operations: burst },
        async run() {
          const arrived = reader.reached(published + burst)
          for (let index = 0; index < burst; index++) {
            publish(messages[published++ & (messages.length - 1)])
          }
          await arrived
        },
        check() {
          strictEqual(reader.count, published, `${name}: as many were read as were published`)
          strictEqual(reader.wrong, 0, `${name}: they were the ones, in order`)
        },
        close: () => void iterator.return(),
      }
    },
  }
}

/** Reads without end; resolves when a given number of messages has been read. */
function readerOf(iterator, read) {
  const reader = { count: 0, wrong: 0, reached }
  let goal = 0
  let resolve
  async function run() {
    for await (const item of { [Symbol.asyncIterator]: () => iterator }) {
      if (read(item).y !== messages[reader.count & (messages.length - 1)].y) reader.wrong++
      if (++reader.count === goal) resolve()
    }
  }
  function reached(count) {
    goal = count
    return new Promise((settle) => {
      resolve = settle
    })
  }
  void run()
  return reader
}

const kinds = [
  {
    ...{ name: 'Rivulet iterate', group: 'rivulet' },
    open() {
      const stream = createHub().stream('bench', { limit: HIGH_LIMIT })
      return {
        publish: (data) => stream.publish(data),
        iterator: stream.iterate(),
        read: (message) => message.data,
      }
    },
  },
  {
    ...{ name: 'emittery events', group: 'bare' },
    open() {
      const emitter = new Emittery()
      return {
        publish: (data) => emitter.emit('bench', data),
        iterator: emitter.events('bench'),
        read: (data) => data,
      }
    },
  },
  {
    ...{ name: 'Node events.on', group: 'bare' },
    open() {
      const emitter = new EventEmitter()
      return {
        publish: (data) => emitter.emit('bench', data),
        iterator: on(emitter, 'bench'),
        read: ([data]) => data,
      }
    },
  },
  {
    ...{ name: 'graphql-subscriptions', group: 'bare' },
    open() {
      const pubSub = new PubSub()
      const iterator = pubSub.asyncIterableIterator(['bench'])
      return { publish: (data) => pubSub.publish('bench', data), iterator, read: (data) => data }
    },
  },
]
