import { createHub } from '../bundle.mjs'

/** The whole contract. @type {import('./rival.mjs').Rival} */
export const rivulet = {
  ...{ name: 'Rivulet', group: 'rivulet', read: (message) => message.data },
  open: (streamDefaults) => createHub({ streamDefaults }),
  subscribe: (stream, listener) => stream.subscribe(listener),
  leave: (_stream, _listener, subscription) => subscription.unsubscribe(),
  publish: (stream, data) => stream.publish(data),
}

/** The whole contract, read through RxJS. @type {import('./rival.mjs').Rival} */
export const rivuletObservable = {
  ...{ ...rivulet, name: 'Rivulet messages$' },
  subscribe: (stream, listener) => stream.messages$.subscribe(listener),
  publish: (stream, data) => stream.publish(data),
}
