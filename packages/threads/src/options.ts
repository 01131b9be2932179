import { RivuletError } from 'rivulet'
import { type Channel, makeBroadcastChannel } from './channel.ts'

/** How hubs of different threads find each other. */
export interface ThreadsOptions {
  /**
   * The name of the bus, 1 to 64 characters of `A-Z a-z 0-9 _ -`: hubs on the same one meet. A thread reads every
   * frame of a bus, so programs that have nothing to say to each other take different ones.
   *
   * @default 'default'
   */
  readonly name?: string | undefined
  /**
   * Makes the channel of a name, in the place of the runtime's `BroadcastChannel`: for a replacement of it, or for
   * tests that break one.
   *
   * @default `(name) => new BroadcastChannel(name)`
   */
  readonly makeChannel?: ((name: string) => Channel) | undefined
}

/** Every option with its value, checked. */
export type ResolvedOptions = Readonly<Required<ThreadsOptions>>

const NAME = /^[A-Za-z0-9_-]{1,64}$/
const NAME_FORM = '1 to 64 characters of A-Z a-z 0-9 _ -'
const OPTIONS: readonly string[] = ['name', 'makeChannel'] satisfies (keyof ThreadsOptions)[]

/** Checks the options, or the name in their place. Throws `INVALID_OPTIONS`. */
export function resolveOptions(given: string | ThreadsOptions): ResolvedOptions {
  const options = typeof given === 'string' ? { name: given } : given
  if (typeof options !== 'object' || options === null) {
    throw invalid('threads takes a name or { name, makeChannel }.')
  }
  const stray = Object.keys(options).find((key) => !OPTIONS.includes(key))
  if (stray !== undefined) throw invalid(`threads has no option "${stray}"; it has name and makeChannel.`)
  const { name = 'default', makeChannel = makeBroadcastChannel } = options
  if (typeof name !== 'string' || !NAME.test(name)) throw invalid(`The name of a bus is ${NAME_FORM}.`)
  if (typeof makeChannel !== 'function') throw invalid('The option makeChannel is a function.')
  return Object.freeze({ name, makeChannel })
}

/** Makes an `INVALID_OPTIONS` error. */
export function invalid(message: string): RivuletError {
  return new RivuletError('INVALID_OPTIONS', message)
}
