import { checkOptions, flagForm, functionForm, patternForm, type Rules, visible } from 'rivulet/adapter'
import { type Channel, makeBroadcastChannel } from './channel.ts'

/** Options of a bus between threads. */
export interface ThreadsOptions {
  /**
   * The name of the bus, 1 to 64 characters of `A-Z a-z 0-9 _ -`: hubs with the same name share it. A thread reads every
   * frame of its bus, so give unrelated programs different names.
   *
   * @default 'default'
   */
  readonly name?: string | undefined
  /**
   * Opens the channel of a name, instead of the runtime's `BroadcastChannel`: for a replacement, or for tests that break
   * a channel.
   *
   * @default `(name) => new BroadcastChannel(name)`
   */
  readonly makeChannel?: ((name: string) => Channel) | undefined
  /**
   * Whether a hub in a forked process may be alone on the bus, for a process that was not forked to share streams.
   * Otherwise the hub reports `ALONE_IN_PROCESS` once, since it receives nothing from the other processes.
   *
   * @default false
   */
  readonly alone?: boolean | undefined
}

/** Every option with its value, checked. */
export type ResolvedOptions = Readonly<Required<ThreadsOptions>>

const NAME = /^[A-Za-z0-9_-]{1,64}$/
const NAME_FORM = '1 to 64 characters of A-Z a-z 0-9 _ -'
const RULES: Rules<ThreadsOptions> = {
  name: visible(patternForm(NAME, NAME_FORM)),
  makeChannel: functionForm,
  alone: visible(flagForm),
}

/** Checks the options, or the name given instead. Throws `INVALID_OPTIONS`. */
export function resolveOptions(given: string | ThreadsOptions): ResolvedOptions {
  const options = checkOptions('threads', typeof given === 'string' ? { name: given } : given, RULES)
  const { name = 'default', makeChannel = makeBroadcastChannel, alone = false } = options
  return Object.freeze({ name, makeChannel, alone })
}
