import { EventEmitter } from 'node:events'
import EventEmitter3 from 'eventemitter3'
import mitt from 'mitt'
import { createNanoEvents } from 'nanoevents'
import { Subject } from 'rxjs'
import { EventEmitter as TseepEmitter } from 'tseep'
import { NamedStreams } from './rival.mjs'

/** Synchronous emitters without checks. @typedef {import('./rival.mjs').Rival} Rival */

/** @type {Rival} */
export const subject = {
  ...{ name: 'RxJS Subject', group: 'bare' },
  open: () => new NamedStreams(() => new Subject()),
  subscribe: (stream, listener) => stream.subscribe(listener),
  leave: (_stream, _listener, subscription) => subscription.unsubscribe(),
  publish: (stream, data) => stream.next(data),
}

/** @type {Rival} */
export const eventEmitter3 = {
  ...onOff('EventEmitter3', () => new EventEmitter3()),
  publish: (emitter, data) => emitter.emit('message', data),
}

/** Compiles a function for its listeners with `new Function`. @type {Rival} */
export const tseep = {
  ...onOff('tseep', () => new TseepEmitter()),
  publish: (emitter, data) => emitter.emit('message', data),
}

/** @type {Rival} */
export const nodeEventEmitter = {
  ...onOff('Node EventEmitter', () => new EventEmitter().setMaxListeners(0)),
  publish: (emitter, data) => emitter.emit('message', data),
}

/** @type {Rival} */
export const mittEmitter = {
  ...onOff('mitt', () => mitt()),
  publish: (emitter, data) => emitter.emit('message', data),
}

/** @type {Rival} */
export const nanoEvents = {
  ...onOff('nanoevents', () => createNanoEvents()),
  leave: (_emitter, _listener, off) => off(),
  publish: (emitter, data) => emitter.emit('message', data),
}

/** The least cost of passing a message to N functions. @type {Rival} */
export const arrayLoop = {
  ...{ name: 'bare array loop', group: 'floor' },
  open: () => new NamedStreams(() => []),
  subscribe: (listeners, listener) => listeners.push(listener),
  publish(listeners, data) {
    for (let index = 0; index < listeners.length; index++) listeners[index](data)
  },
}

/** The least cost of subscribing and unsubscribing. @type {Rival} */
export const setOfFunctions = {
  ...{ name: 'Set of functions', group: 'floor' },
  open: () => new NamedStreams(() => new Set()),
  subscribe: (listeners, listener) => listeners.add(listener),
  leave: (listeners, listener) => listeners.delete(listener),
  publish(listeners, data) {
    for (const listener of listeners) listener(data)
  },
}

function onOff(name, create) {
  return {
    ...{ name, group: 'bare' },
    open: () => new NamedStreams(create),
    subscribe: (emitter, listener) => emitter.on('message', listener),
    leave: (emitter, listener) => emitter.off('message', listener),
  }
}
