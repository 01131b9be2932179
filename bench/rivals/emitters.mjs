import { EventEmitter } from 'node:events'
import EventEmitter3 from 'eventemitter3'
import mitt from 'mitt'
import { createNanoEvents } from 'nanoevents'
import { Subject } from 'rxjs'

/** Emitters that call their listeners at once and check nothing. @typedef {import('./rivulet.mjs').Rival} Rival */

const asIs = (message) => message
const bare = { group: 'bare', read: asIs }

/** @type {Rival} */
export const subject = {
  ...{ ...bare, name: 'RxJS Subject' },
  open(listeners) {
    const stream = new Subject()
    for (const listener of listeners) stream.subscribe(listener)
    return { publish: (data) => stream.next(data), close: () => stream.complete() }
  },
}

/** @type {Rival} */
export const eventEmitter3 = {
  ...{ ...bare, name: 'EventEmitter3' },
  open: (listeners) => openEmitter(new EventEmitter3(), listeners),
}

/** @type {Rival} */
export const nodeEventEmitter = {
  ...{ ...bare, name: 'Node EventEmitter' },
  open: (listeners) => openEmitter(new EventEmitter().setMaxListeners(0), listeners),
}

/** @type {Rival} */
export const mittEmitter = {
  ...{ ...bare, name: 'mitt' },
  open(listeners) {
    const emitter = mitt()
    for (const listener of listeners) emitter.on('bench', listener)
    return { publish: (data) => emitter.emit('bench', data), close: () => emitter.all.clear() }
  },
}

/** @type {Rival} */
export const nanoEvents = {
  ...{ ...bare, name: 'nanoevents' },
  open(listeners) {
    const emitter = createNanoEvents()
    for (const listener of listeners) emitter.on('bench', listener)
    return { publish: (data) => emitter.emit('bench', data), close() {} }
  },
}

/** The least that handing a message to N functions can cost. @type {Rival} */
export const arrayLoop = {
  ...{ ...bare, name: 'bare array loop', group: 'floor' },
  open: (listeners) => ({
    publish(data) {
      for (let index = 0; index < listeners.length; index++) listeners[index](data)
    },
    close() {},
  }),
}

function openEmitter(emitter, listeners) {
  for (const listener of listeners) emitter.on('bench', listener)
  return { publish: (data) => emitter.emit('bench', data), close: () => emitter.removeAllListeners() }
}
