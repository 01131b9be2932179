import { setTimeout as pause } from 'node:timers/promises'
import type { Topic, TransportHost } from 'rivulet'
import { type Refusals, type TransportConnection, timeoutsOf } from 'rivulet/adapter'
import type { Dialled } from './dial.ts'
import { Link, type LinkEvents } from './link.ts'
import { Merge } from './merge.ts'

/** Time for a server that shuts down to confirm the frames sent to it, while new frames are buffered. */
const BUFFER_MS = 1_000
/** Part of `joinMs` for the joins over the next link: others wait meanwhile, and have `joinMs` in total. */
const SWITCH_PART = 0.5
/**
 * Time for which frames are recorded before the topics are joined over the next link. A frame that has arrived over the
 * old link may reach the other server after the join there, on a busy machine a tenth of a second later.
 */
const NOTED_MS = 500
/** Time for which the old link stays joined, so that frames in flight on the cluster's old route arrive. */
const OVERLAP_MS = 1_000
/** Delay of the first retry while no other server accepts the connection; doubled each time. */
const FIRST_RETRY_MS = 500
const LONGEST_RETRY_MS = 8_000

/** The hub, the options and the function to redial. */
interface Surroundings {
  readonly host: TransportHost
  readonly prefix: string
  readonly refusals: Refusals
  /** Dials the servers again, that of `from` last. */
  redial(from: Connection, signal: AbortSignal): Promise<Dialled>
}

interface Watch {
  readonly hub: string
  readonly signal: AbortSignal
  readonly end: AbortController
}

/**
 * A hub's connection to the cluster, over one link. When the link's server announces its shutdown, a second link to
 * another server replaces it unnoticed by the hub. When the link ends otherwise the connection ends.
 */
export class Connection implements TransportConnection {
  readonly #surroundings: Surroundings
  /** The link that sends frames. */
  #link: Link
  /** The next `#link`, while it is prepared. */
  #next: Link | undefined
  /** The previous `#link`, until its last frames have arrived. */
  #previous: Link | undefined
  /** Present while two links may receive the same frames. */
  #merge: Merge | undefined
  /** Joined and pending topics; each value identifies one call of `join`. */
  readonly #topics = new Map<Topic, object>()
  #watch: Watch | undefined
  /** Frames to send over the new link, buffered while the old server confirms earlier ones. */
  #buffered: { readonly topic: Topic; readonly frame: Uint8Array | string }[] | undefined
  /** Pending while topics are joined over the next link: joins wait for it, and barriers while frames are buffered. */
  #switching: Promise<void> | undefined
  /** The link whose server shuts down, and the move away from it. */
  #leaving: Link | undefined
  #moving: Promise<void> | undefined
  /** Aborted when the connection has ended or was closed. */
  readonly #end = new AbortController()

  constructor(dialled: Dialled, surroundings: Surroundings) {
    this.#surroundings = surroundings
    this.#link = this.#linkOf(dialled)
  }

  get server(): string {
    return this.#link.server
  }

  get maxFrameBytes(): number {
    return this.#link.maxFrameBytes
  }

  get clusterServers(): readonly string[] {
    return this.#link.clusterServers
  }

  send(topic: Topic, frame: Uint8Array | string): 'sent' | 'offline' {
    this.#merge?.sent(topic, frame)
    if (this.#buffered === undefined) return this.#link.send(topic, frame)
    this.#buffered.push({ topic, frame })
    return 'sent'
  }

  async join(topic: Topic, signal: AbortSignal): Promise<void> {
    const call = {}
    this.#topics.set(topic, call)
    const isWanted = () => this.#topics.get(topic) === call
    try {
      if (this.#switching !== undefined) await this.#switched(this.#switching, signal)
      if (!isWanted()) throw new Error('left before the join was confirmed')
      await this.#joinAt(this.#link, topic, signal)
    } catch (cause) {
      if (isWanted()) this.leave(topic)
      throw cause
    }
  }

  leave(topic: Topic): void {
    this.#topics.delete(topic)
    for (const link of this.#links()) link.leave(topic)
  }

  async watch(hub: string, signal: AbortSignal): Promise<void> {
    const end = new AbortController()
    const watch = { hub, signal: AbortSignal.any([signal, end.signal]), end }
    if (this.#switching !== undefined) await this.#switched(this.#switching, signal)
    this.#watch = watch
    try {
      await this.#link.watch(hub, watch.signal)
    } catch (cause) {
      end.abort()
      throw cause
    }
  }

  async flush(signal: AbortSignal): Promise<void> {
    if (this.#buffered !== undefined && this.#switching) await this.#switched(this.#switching, signal)
    await this.#link.flush(signal)
  }

  bufferedBytes(): number {
    const buffered = this.#buffered?.reduce((bytes, { frame }) => bytes + frame.length, 0) ?? 0
    return buffered + this.#link.bufferedBytes()
  }

  /** Flushes until `signal` aborts, then drops the connection. Call again to hasten it. */
  async close(signal: AbortSignal): Promise<void> {
    this.#end.abort(new Error('the connection was closed'))
    this.#release()
    await Promise.all(this.#links().map((link) => link.close(signal)))
    await this.#moving
  }

  #links(): Link[] {
    return [this.#link, this.#next, this.#previous].filter((link) => link !== undefined)
  }

  #linkOf(dialled: Dialled): Link {
    const { prefix, refusals } = this.#surroundings
    const link: Link = new Link(dialled, { prefix, refusals, events: this.#eventsOf(() => link) })
    return link
  }

  #eventsOf(link: () => Link): LinkEvents {
    const { host } = this.#surroundings
    return {
      receive: (topic, frame) => {
        if (this.#isFirst(link(), 'join', topic, frame)) host.receive(topic, frame)
      },
      watched: (topic, frame) => {
        if (this.#isFirst(link(), 'watch', topic, frame)) host.watched(topic, frame)
      },
      down: (cause) => this.#down(link(), cause),
      error: (topic, cause) => host.error(topic, cause),
      left: (topic, cause) => this.#left(link(), topic, cause),
      leaving: () => {
        if (link() === this.#link) this.#moveAway(link())
      },
    }
  }

  #isFirst(link: Link, kind: 'join' | 'watch', topic: string, frame: Uint8Array | string): boolean {
    return this.#merge === undefined || this.#merge.isFirst(link, kind, topic, frame)
  }

  /** Handles the end of a link. Only the sending link matters: a move notices the end of the next one itself. */
  #down(link: Link, cause: Error | undefined): void {
    if (link !== this.#link || this.#end.signal.aborted) return
    this.#surroundings.host.down(cause)
    this.#end.abort(cause)
    this.#release()
    for (const other of this.#links()) if (other !== link) drop(other)
  }

  #left(link: Link, topic: Topic | undefined, cause: Error): void {
    if (link === this.#previous) return
    if (topic !== undefined) this.leave(topic)
    else this.#watch?.end.abort(cause)
    this.#surroundings.host.left(topic, cause)
  }

  async #joinAt(link: Link, topic: Topic, signal: AbortSignal): Promise<void> {
    try {
      await link.join(topic, signal)
    } catch (cause) {
      // The server ended before it answered; its replacement has confirmed the join.
      const isReplaced = link !== this.#link && !link.isLive
      if (!isReplaced || !this.#topics.has(topic)) throw cause
    }
  }

  #moveAway(from: Link): void {
    if (this.#leaving === from) return
    this.#leaving = from
    this.#moving = this.#leaveServer(from)
  }

  /** Moves to another server; retries until one accepts the connection, or the current server has ended. */
  async #leaveServer(from: Link): Promise<void> {
    const { signal } = this.#end
    for (let waitMs = FIRST_RETRY_MS; !signal.aborted; waitMs = Math.min(2 * waitMs, LONGEST_RETRY_MS)) {
      this.#endOverlap()
      const to = await this.#move(from)
      if (to !== undefined) {
        // It may have announced its shutdown before the switch.
        if (to.isLeaving) return this.#moveAway(to)
        await this.#overlap(from)
        return
      }
      await pause(waitMs, undefined, { signal, ref: false }).catch(() => {})
    }
  }

  /** Switches to a link to another server, and returns it; or nothing, when that failed. */
  async #move(from: Link): Promise<Link | undefined> {
    const { signal } = this.#end
    this.#merge = new Merge(from)
    const noted = pause(NOTED_MS, undefined, { signal, ref: false }).catch(() => {})
    try {
      const to = this.#linkOf(await this.#surroundings.redial(this, signal))
      this.#next = to
      await noted
      signal.throwIfAborted()
      this.#switching = this.#switch(from, to)
      await this.#switching
      return to
    } catch {
      // The reason does not matter: the hub is up, and gets a refusal when it has to reconnect.
      if (this.#next !== undefined) drop(this.#next)
      this.#next = undefined
      this.#merge = undefined
      return undefined
    } finally {
      this.#switching = undefined
      this.#release()
    }
  }

  /** Joins all topics over the next link, and sends over it once the old server has confirmed earlier frames. */
  async #switch(from: Link, to: Link): Promise<void> {
    if (to.serverId === from.serverId) throw new Error('the server itself answered')
    const { signal } = this.#end
    // A refusal fails the move: the hub keeps its current link for as long as possible.
    const joins = [...this.#topics].map(([topic, call]) =>
      to.join(topic, signal).catch((cause) => {
        if (this.#topics.get(topic) === call) throw cause
      }),
    )
    const watch = this.#watch
    if (watch !== undefined && !watch.signal.aborted) {
      const watching = to.watch(watch.hub, watch.signal)
      joins.push(watching.catch((cause) => (watch.signal.aborted ? undefined : Promise.reject(cause))))
    }
    const timer = setTimeout(drop, SWITCH_PART * timeoutsOf(this.#surroundings.host).joinMs, to)
    await Promise.all(joins).finally(() => clearTimeout(timer))
    this.#buffered = []
    await from.flush(AbortSignal.any([signal, AbortSignal.timeout(BUFFER_MS)]))
    if (!to.isLive) throw new Error('the other server is gone')
    this.#previous = from
    this.#link = to
    this.#next = undefined
    this.#release()
  }

  /** Sends the buffered frames. Those that cannot be sent any more count as sent and unconfirmed. */
  #release(): void {
    const buffered = this.#buffered ?? []
    this.#buffered = undefined
    for (const { topic, frame } of buffered) this.#link.send(topic, frame)
  }

  /** Ends the old link after the overlap. Copies of its last frames may arrive over the new one even later. */
  async #overlap(from: Link): Promise<void> {
    const merge = this.#merge
    const overlap = () =>
      pause(OVERLAP_MS, undefined, { signal: this.#end.signal, ref: false }).catch(() => {})
    await overlap()
    drop(from)
    if (this.#previous === from) this.#previous = undefined
    await overlap()
    if (this.#merge === merge) this.#merge = undefined
  }

  #endOverlap(): void {
    if (this.#previous !== undefined) drop(this.#previous)
    this.#previous = undefined
    this.#merge = undefined
  }

  /** Waits for the current switch to succeed or fail. */
  async #switched(switching: Promise<void>, signal: AbortSignal): Promise<void> {
    const end = AbortSignal.any([signal, this.#end.signal])
    end.throwIfAborted()
    const aborted = new Promise<never>((_resolve, reject) => {
      end.addEventListener('abort', () => reject(end.reason))
    })
    await Promise.race([switching.catch(() => {}), aborted])
  }
}

function drop(link: Link): void {
  void link.close(AbortSignal.abort())
}
