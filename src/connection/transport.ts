import type { PlatformSignal } from '../base/platform-signal.ts'
import type { Topic } from '../message/topic.ts'
import type { Timeouts } from '../state/timeouts.ts'

/** The capabilities of a transport. Read again after each `open`; `rivulet/testing` verifies every claim. */
export interface Capabilities {
  /**
   * The reach of frames. `'process'`: between hubs of this thread. `'host'`: out of this thread and not beyond this
   * machine; the transport's documentation names the threads, tabs or processes. `'network'`: to other machines.
   */
  readonly scope: 'process' | 'host' | 'network'
  /** Whether the backend hands a connection its own frames back. */
  readonly echoes: boolean
  /** Whether frames of one publisher on one topic arrive in the order in which they were sent. */
  readonly ordered: boolean
  /** Whether `watch` can receive every topic of a hub. */
  readonly watch: boolean
  /**
   * The first 12 hex digits of the origins in the hub's sids, for a backend that checks who published a sid. Each
   * serves 65 536 streams; when they differ from those of the last connection the streams begin new origins. Most
   * transports have none: a hub's own prefix is random.
   */
  readonly prefixes?: readonly string[] | undefined
  /** Returns the largest frame, in bytes, that the backend takes on a topic. `Infinity` when the backend has no limit. */
  maxFrameBytes(topic: Topic): number
}

/**
 * Moves frames between hubs. One instance connects to one backend, for one hub.
 *
 * The core owns everything else: topics, the frame's content, limits, the echo and duplicate filters, when to join,
 * reconnecting, deadlines and counting. An adapter therefore turns off reconnecting, resubscribing and offline queueing
 * of its client, and trusts the arguments that the core passes.
 */
export interface Transport {
  /** A short name for messages, e.g. `nats`. Holds no credentials. */
  readonly name: string
  /** The capabilities; final once `open` has resolved. */
  readonly capabilities: Capabilities

  /**
   * Connects. Resolves when frames can be sent and topics joined; no frame of an earlier connection is sent afterwards.
   * Called again, with a fresh host, after `down` or after `close`. Rejects with a `RivuletError` of code
   * `TRANSPORT_FAILED` when trying again soon is pointless (credentials, certificate), with any other error for an
   * outage. When `signal` aborts it gives up, leaves no socket or timer behind and rejects.
   */
  open(host: TransportHost, signal: PlatformSignal): Promise<void>

  /**
   * Hands one frame to the backend, synchronously. Never throws, never queues for a later connection. `'offline'` means
   * that the frame certainly did not leave. The transport may keep `frame` but not change it.
   */
  send(topic: Topic, frame: Uint8Array | string): 'sent' | 'offline'

  /**
   * Asks for the frames of a topic. Resolves when the backend has confirmed: frames that others send from
   * then on arrive. Rejects with the backend's reason when it refuses, with `TRANSPORT_UNAVAILABLE` when the connection
   * is gone and `down` is about to follow (or one of several that the topic needs: the core asks again), or when `signal`
   * aborts. The core never joins a topic that is joined or being joined.
   */
  join(topic: Topic, signal: PlatformSignal): Promise<void>

  /** Ends a join, confirmed or not. After it returns, `receive` is not called for that topic. Never throws. */
  leave(topic: Topic): void

  /**
   * Asks for the frames of every topic of a hub, joined or not. Each frame that another transport sends is handed to
   * `watched` once; joined topics get theirs by `receive` as well. Resolves when the backend has confirmed; ends with
   * the connection, or when `signal` aborts: `watched` is not called after that. Rejects with the backend's reason when
   * it refuses, when `signal` aborts, and always when the capability `watch` is false. The core never watches twice at
   * a time.
   */
  watch(hub: string, signal: PlatformSignal): Promise<void>

  /**
   * A barrier: resolves when the backend has every frame that was sent before. Rejects on abort or when down. Several
   * may wait at a time: on a slow link the core sends one after every few kilobytes. They resolve in their order.
   */
  flush(signal: PlatformSignal): Promise<void>

  /**
   * Optional: returns the bytes of frames that the client buffers, as far as it knows. While these decrease the core
   * considers the connection alive although no `flush` resolves. Never throws.
   */
  bufferedBytes?(): number

  /**
   * Optional, of a transport that reaches no other process: returns the number of other hubs of this process that it
   * reaches now, as far as it knows. A hub that is alone in a forked process reports `ALONE_IN_PROCESS`. Never throws.
   */
  othersInProcess?: (() => number) | undefined

  /**
   * Disconnects, in every state and any number of times. Sends pending frames until `signal` aborts, then drops the
   * connection. Afterwards it does not call the host, and leaves no socket or timer.
   */
  close(signal: PlatformSignal): Promise<void>
}

/** The core's side, given to a transport at each `open`. Calls on the host of an earlier `open` are ignored. */
export interface TransportHost {
  /** The name of the hub: every topic begins with `rivulet/` and that name. */
  readonly hub: string
  /**
   * The timeouts of the hub, from its option `timeouts`. The signal of `open` bounds the whole attempt; the adapter
   * bounds the attempt with each of several servers, and checks an idle connection. When a wrapper does not pass the
   * timeouts on, `timeoutsOf` of `rivulet/adapter` fills in the defaults.
   */
  readonly timeouts?: Timeouts | undefined
  /** Takes a frame of a joined topic. Synchronous; never throws; the bytes may be reused after it returns. */
  receive(topic: Topic, frame: Uint8Array | string): void
  /**
   * Takes a frame of the hub that is watched, with its topic as the backend gave it: any client that may write there
   * can invent one, so the core checks it. Otherwise like `receive`, which gets the frames of joined topics independent
   * of a watch.
   */
  watched(topic: string, frame: Uint8Array | string): void
  /**
   * Optional to call, for a backend that passes frames on over a link of its own: reports progress on frames that wait
   * for a `flush`, though none resolves. The deadline of each begins anew. While `isCongested`, the backend accepts no
   * more frames until the next call or until no `flush` waits; the hub refuses them as `congested`. Absent when a
   * wrapper does not pass it on.
   */
  progress?(isCongested: boolean): void
  /** Reports that the connection is gone. The core opens again by itself. */
  down(cause?: Error): void
  /**
   * Reports a fault that leaves the connection up, e.g. a permission violation, with its topic when known: messages in
   * flight on that topic then count as `unconfirmed`. Report a refused frame before `flush` resolves.
   */
  error(topic: Topic | undefined, cause: Error): void
  /**
   * Reports that the backend ended a confirmed join, without a topic the watch, e.g. since a permission was revoked.
   * The core joins again.
   */
  left(topic: Topic | undefined, cause: Error): void
}

/** The exports that `openHub` expects of a transport's package. */
export interface TransportModule {
  /** Makes a transport from one or more URLs of one scheme (several name several servers of one cluster). */
  transportFromUrls(urls: readonly string[]): Transport
}
