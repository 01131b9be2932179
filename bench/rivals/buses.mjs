import { Bus } from '@boringnode/bus'
import { MemoryTransport } from '@boringnode/bus/transports/memory'
import Emittery from 'emittery'
import { PubSub } from 'graphql-subscriptions'
import mqemitter from 'mqemitter'
import { NamedStreams } from './rival.mjs'

/** Asynchronous emitters and buses. @typedef {import('./rival.mjs').Rival} Rival */

/** @type {Rival} */
export const emittery = {
  ...{ name: 'emittery', group: 'bare', isAsync: true },
  open: () => new NamedStreams(() => new Emittery()),
  subscribe: (emitter, listener) => emitter.on('message', listener),
  leave: (_emitter, _listener, off) => off(),
  publish: (emitter, data) => emitter.emit('message', data),
}

/** Its listeners call back when they are done. @type {Rival} */
export const mqEmitter = {
  ...{ name: 'mqemitter', group: 'bare', read: (message) => message.data },
  open: () => new NamedStreams(() => mqemitter()),
  subscribe: (emitter, listener) =>
    emitter.on('message', (message, done) => {
      listener(message)
      done()
    }),
  publish: (emitter, data) => emitter.emit({ topic: 'message', data }),
}

/** @type {Rival} */
export const graphqlPubSub = {
  ...{ name: 'graphql-subscriptions', group: 'bare', isAsync: true },
  open: () =>
    new NamedStreams(() => {
      const pubSub = new PubSub()
      pubSub.ee.setMaxListeners(0)
      return pubSub
    }),
  subscribe: (pubSub, listener) => pubSub.subscribe('message', listener),
  publish: (pubSub, data) => pubSub.publish('message', data),
}

/** @type {Rival} */
export const boringBus = {
  ...{ name: '@boringnode/bus', group: 'bare', isAsync: true },
  open: () => new NamedStreams(openBuses),
  subscribe: ({ receiver, channel }, listener) => receiver.subscribe(channel, listener),
  async publish({ sender, transport, channel }, data) {
    await sender.publish(channel, data)
    transport.receivedMessages.length = 0 // it keeps every message for its users' tests
  },
}

let opened = 0

/** Opens buses. They share one memory in the process: the channel separates the instances. */
function openBuses() {
  const transport = new MemoryTransport()
  const [sender, receiver] = [new Bus(new MemoryTransport()), new Bus(transport)]
  return { sender, receiver, transport, channel: `bench-${opened++}` }
}
