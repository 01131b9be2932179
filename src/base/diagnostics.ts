import { builtInModule } from './built-in-module.ts'

/** The part of a `node:diagnostics_channel` channel that is used. */
interface Channel {
  readonly hasSubscribers: boolean
  publish(event: object): void
}

/** The part of a tracing channel that is used: channels that follow one call. */
interface TracingChannel {
  readonly hasSubscribers: boolean
  readonly start: Channel
  readonly error: Channel
  readonly end: Channel
  tracePromise<Result>(task: () => Promise<Result>, event: object): Promise<Result>
}

interface Diagnostics {
  channel(name: string): Channel
  tracingChannel(name: string): TracingChannel
}

/** Replaces a channel in runtimes without them: only `hasSubscribers` is read. */
const noChannel = () => ({ hasSubscribers: false }) as TracingChannel & Channel
const builtIn = builtInModule('node:diagnostics_channel') ?? {}
const { channel = noChannel, tracingChannel = noChannel } = builtIn as Partial<Diagnostics>

/** The traced calls; `docs/operating.md` lists the fields of each event. Check `hasSubscribers` before building an event. */
export const publishing = tracingChannel('rivulet.publish')
export const processing = tracingChannel('rivulet.process')
export const connecting = tracingChannel('rivulet.connect')

/** Channels for single events. Check `hasSubscribers` before building an event, too. */
export const hubs = channel('rivulet:hub')
export const refusals = channel('rivulet:refused')
export const losses = channel('rivulet:lost')
export const drops = channel('rivulet:dropped')
export const statuses = channel('rivulet:status')
