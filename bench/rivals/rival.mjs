/**
 * A library that passes messages to subscribers in one process.
 * @typedef {object} Rival
 * @property {string} name
 * @property {'rivulet' | 'contract' | 'bare' | 'floor'} group
 * @property {boolean} [isAsync] whether `publish` returns a promise that resolves after the subscribers were called
 * @property {(message: unknown) => unknown} [read] reads the message from a subscriber's argument; by default the whole argument
 * @property {(options?: object) => { stream(name: string): object, streams(): Iterable<object>, close(): unknown }} open
 *   makes streams by name, as a hub does; the options of a stream are for those that have any
 * @property {(stream: object, listener: Function) => unknown} subscribe returns the handle to leave, or a promise
 * @property {(stream: object, listener: Function, kept: unknown) => unknown} [leave]
 * @property {(stream: object, data: object) => unknown} publish of its own for each rival, so that V8 sees one kind
 *   of object in it
 */

/** Keeps streams by name, as a program without a hub would. */
export class NamedStreams {
  #create
  #streams = new Map()

  constructor(create) {
    this.#create = create
  }

  stream(name) {
    const stream = this.#create()
    this.#streams.set(name, stream)
    return stream
  }

  streams() {
    return this.#streams.values()
  }

  close() {
    this.#streams.clear()
  }
}
