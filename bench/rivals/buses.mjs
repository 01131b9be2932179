import { Bus } from '@boringnode/bus'
import { MemoryTransport } from '@boringnode/bus/transports/memory'
import Emittery from 'emittery'
import { PubSub } from 'graphql-subscriptions'
import mqemitter from 'mqemitter'

/** Emitters and buses that answer later. @typedef {import('./rivulet.mjs').Rival} Rival */

const asIs = (message) => message
const bare = { group: 'bare', read: asIs, isAsync: true }

/** @type {Rival} */
export const emittery = {
  ...{ ...bare, name: 'emittery' },
  open(listeners) {
    const emitter = new Emittery()
    for (const listener of listeners) emitter.on('bench', listener)
    return { publish: (data) => emitter.emit('bench', data), close: () => emitter.clearListeners() }
  },
}

/** Its listeners say when they are done. @type {Rival} */
export const mqEmitter = {
  ...{ ...bare, name: 'mqemitter', isAsync: false, read: (message) => message.data },
  open(listeners) {
    const emitter = mqemitter()
    for (const listener of listeners) {
      emitter.on('bench', (message, done) => {
        listener(message)
        done()
      })
    }
    return { publish: (data) => emitter.emit({ topic: 'bench', data }), close: () => emitter.close(() => {}) }
  },
}

/** @type {Rival} */
export const graphqlPubSub = {
  ...{ ...bare, name: 'graphql-subscriptions' },
  async open(listeners) {
    const pubSub = new PubSub()
    pubSub.ee.setMaxListeners(0)
    for (const listener of listeners) await pubSub.subscribe('bench', listener)
    return { publish: (data) => pubSub.publish('bench', data), close: () => pubSub.ee.removeAllListeners() }
  },
}

let busesOpened = 0

/** @type {Rival} */
export const boringBus = {
  ...{ ...bare, name: '@boringnode/bus' },
  async open(listeners) {
    // Its memory is one for the whole process: the channel keeps the instances apart.
    const channel = `bench-${busesOpened++}`
    const transport = new MemoryTransport()
    const [sender, receiver] = [new Bus(new MemoryTransport()), new Bus(transport)]
    for (const listener of listeners) await receiver.subscribe(channel, listener)
    return {
      async publish(data) {
        await sender.publish(channel, data)
        transport.receivedMessages.length = 0 // it keeps every message for its users' tests
      },
      close: () => Promise.all([sender.disconnect(), receiver.disconnect()]),
    }
  },
}
