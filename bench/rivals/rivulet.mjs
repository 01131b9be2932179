import { createHub } from 'rivulet'
import { HIGH_LIMIT } from '../limit.mjs'

/**
 * A way to hand messages to many subscribers in one process.
 * @typedef {object} Rival
 * @property {string} name
 * @property {'rivulet' | 'contract' | 'bare' | 'floor'} group
 * @property {boolean} [isAsync] whether `publish` returns a promise that says when the subscribers were called
 * @property {(message: unknown) => unknown} read what a subscriber takes out of its argument
 * @property {(listeners: Function[]) => { publish(data: object): unknown, close(): unknown } | Promise<object>} open
 */

const dataOf = (message) => message.data

/** The whole contract. @type {Rival} */
export const rivulet = {
  ...{ name: 'Rivulet publish', group: 'rivulet', read: dataOf },
  open: (listeners) => open((stream) => listeners.map((listener) => stream.subscribe(listener))),
}

/** The whole contract, read through RxJS. @type {Rival} */
export const rivuletObservable = {
  ...{ name: 'Rivulet messages$', group: 'rivulet', read: dataOf },
  open: (listeners) => open((stream) => listeners.map((listener) => stream.messages$.subscribe(listener))),
}

function open(subscribe) {
  const hub = createHub()
  const stream = hub.stream('bench', { limit: HIGH_LIMIT, maxBytes: 65_536 })
  subscribe(stream)
  return { publish: (data) => stream.publish(data), close: () => hub.close() }
}
