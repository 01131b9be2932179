import type { PlatformSignal } from '../base/platform-signal.ts'
import type { Timeouts } from './timeouts.ts'
import type { Topic } from './topic.ts'

/** What a transport can and cannot do. Read again after each `open`; `rivulet/testing` verifies every claim. */
export interface Capabilities {
  /**
   * How far frames travel. `'process'`: between hubs of this thread. `'host'`: out of this thread and not beyond this
   * machine; to which threads, tabs or processes, the transport's documentation says. `'network'`: to other machines.
   */
  readonly scope: 'process' | 'host' | 'network'
  /** Whether the backend hands a connection its own frames back. */
  readonly echoes: boolean
  /** Whether frames of one publisher on one topic arrive in the order in which they were sent. */
  readonly ordered: boolean
  /** Whether `watch` can hear every topic of a hub. */
  readonly watch: boolean
  /**
   * The first 12 hex digits of the origins in the hub's sids, for a backend that checks who published a sid. Each serves 65 536 streams; when they are others than at the last connection the streams begin new origins.
   * Most transports have none: a hub's own prefix is random.
   */
  readonly prefixes?: readonly string[] | undefined
  /** Returns the largest frame, in bytes, that the backend takes on a topic. `Infinity` when it names none. */
  maxFrameBytes(topic: Topic): number
}

/**
 * Moves frames between hubs. One instance is one place to connect to, used by one hub.
 *
 * The core owns everything else: topics, the frame's content, limits, the echo and duplicate filters, when to
 * join, reconnecting, deadlines and counting. An adapter therefore turns its client's own reconnecting,
 * resubscribing and offline queueing off, and trusts what the core hands it.
 */
export interface Transport {
  /** A short name for messages, e.g. `nats`. Holds no credentials. */
  readonly name: string
  /** What it can do; final once `open` has resolved. */
  readonly capabilities: Capabilities

  /**
   * Connects. Resolves when frames can be sent and joined; nothing that was sent before is sent afterwards.
   * Called again, with a fresh host, after `down` or after `close`. Rejects with a `RivuletError` of code
   * `TRANSPORT_FAILED` when trying again soon is pointless (credentials, certificate), with anything else for
   * an outage. When `signal` aborts it gives up, leaves no socket or timer behind and rejects.
   */
  open(host: TransportHost, signal: PlatformSignal): Promise<void>

  /**
   * Hands one frame to the backend, synchronously. Never throws, never queues for a later connection.
   * `'offline'` says that the frame certainly did not leave. The transport may keep `frame` but not change it.
   */
  send(topic: Topic, frame: Uint8Array | string): 'sent' | 'offline'

  /**
   * Asks for the frames of a topic. Resolves when the backend has confirmed: frames that others send from
   * then on arrive. Rejects with the backend's reason when it refuses, with `TRANSPORT_UNAVAILABLE` when the connection
   * is gone and `down` is about to follow, or when `signal` aborts. The core never joins a topic that is joined or
   * being joined.
   */
  join(topic: Topic, signal: PlatformSignal): Promise<void>

  /** Ends a join, confirmed or not. After it returns, `receive` is not called for that topic. Never throws. */
  leave(topic: Topic): void

  /**
   * Asks for the frames of every topic of a hub, joined or not. Each frame that another transport sends is handed to
   * `watched` once; joined topics get theirs by `receive` as well. Resolves when the backend has confirmed; ends with
   * the connection, or when `signal` aborts: after that nothing is handed over. Rejects with the backend's reason when
   * it refuses, when `signal` aborts, and always when the capability `watch` is false. The core never watches twice at
   * a time.
   */
  watch(hub: string, signal: PlatformSignal): Promise<void>

  /**
   * A barrier: resolves when the backend has everything that was sent before. Rejects on abort or when down. Several may
   * wait at a time: on a slow link the core puts one behind every few kilobytes. They are answered in their order.
   */
  flush(signal: PlatformSignal): Promise<void>

  /**
   * Optional: returns how many bytes of frames wait in the client, as far as it can tell. While these grow fewer the core
   * takes the connection for alive although no `flush` is answered. Never throws.
   */
  heldBytes?(): number

  /**
   * Disconnects, in every state and any number of times. Hands over what was sent before until `signal`
   * aborts, then drops the connection. Afterwards nothing of the host is called and no socket or timer is left.
   */
  close(signal: PlatformSignal): Promise<void>
}

/** What the core gives a transport at each `open`. Calls on the host of an earlier `open` are ignored. */
export interface TransportHost {
  /** The name of the hub: every topic begins with `rivulet/` and that name. */
  readonly hub: string
  /**
   * How long the hub waits, by its option `timeouts`. `open` has the signal for the whole; how long one of several servers
   * may take, and how often an idle connection is asked for a sign of life, are the adapter's part. `timeoutsOf` of
   * `rivulet/transport` fills in the defaults where a wrapper does not pass them on.
   */
  readonly timeouts?: Timeouts | undefined
  /** Takes a frame of a joined topic. Synchronous; never throws; the bytes may be reused after it returns. */
  receive(topic: Topic, frame: Uint8Array | string): void
  /**
   * Takes a frame of the hub that is watched, with its topic as the backend gave it: whoever may write there made it up,
   * and the core checks it. Otherwise like `receive`, which gets the frames of joined topics as if nobody watched.
   */
  watched(topic: string, frame: Uint8Array | string): void
  /** Reports that the connection is gone. The core opens again by itself. */
  down(cause?: Error): void
  /**
   * Reports a fault that leaves the connection up, e.g. a permission violation, with its topic when known: what is in
   * flight on that topic then counts as `unconfirmed`. Tell of a frame that was refused before `flush` resolves.
   */
  error(topic: Topic | undefined, cause: Error): void
  /**
   * Reports that the backend ended a confirmed join, without a topic the watch, e.g. since a permission was revoked. The
   * core asks again.
   */
  left(topic: Topic | undefined, cause: Error): void
}

/** What `openHub` expects of a transport's package. */
export interface TransportModule {
  /** Makes a transport from one or more URLs of one scheme (several name several servers of one cluster). */
  transportFromUrls(urls: readonly string[]): Transport
}
