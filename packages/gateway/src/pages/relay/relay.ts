import type { Capabilities, Topic, Transport, TransportHost } from 'rivulet'
import { runOutside, timeoutsOf } from 'rivulet/adapter'
import { Barriers } from './barriers.ts'
import { capabilitiesOver } from './capabilities.ts'
import type { RelayGuest, RelayPort, SendOutcome } from './guest.ts'
import { JoinedTopics, type TopicUser } from './joined-topics.ts'
import { Prefixes, prefixOf } from './prefixes.ts'
import { Watch } from './watch.ts'

/**
 * Carries frames between the hub that it is given to, the pages that `servePages` lets in, and a transport upstream.
 * For the hub it is a transport as any other. Give each hub its own.
 */
export interface Relay extends Transport {
  /** Takes a group of pages in; for `servePages` only. */
  attach(guest: RelayGuest): RelayPort
}

/**
 * Makes a relay over a transport, which then belongs to it, or over none: then it joins the hub and the pages only.
 * *Upstream* is the transport that was given to `relay`. The relay has its capabilities.
 */
export function relay(upstream?: Transport): Relay {
  return new RelayTransport(upstream)
}

const encoder = new TextEncoder()

class RelayTransport implements Relay {
  readonly name: string
  readonly capabilities: Capabilities
  readonly #upstream: Transport | undefined
  readonly #topics: JoinedTopics
  readonly #prefixes = new Prefixes()
  readonly #barriers: Barriers
  readonly #watch: Watch
  readonly #guests = new Set<RelayGuest>()
  #host: TransportHost | undefined
  /** The host that upstream was opened with. */
  #upstreamHost: TransportHost | undefined
  /** Aborted while the relay is not open. */
  #connection = abortedController()
  /** The hub's joins that are not answered yet. */
  readonly #joining = new Map<Topic, { resolve(): void; reject(cause: unknown): void }>()
  readonly #hub: TopicUser = {
    joined: (topic) => this.#joining.get(topic)?.resolve(),
    refused: (topic, cause) => this.#joining.get(topic)?.reject(cause),
    left: (topic, cause) => this.#host?.left(topic, cause),
    receive: (topic, frame) => this.#toHub(topic, frame),
  }

  constructor(upstream: Transport | undefined) {
    this.name = upstream === undefined ? 'relay' : `relay over ${upstream.name}`
    this.#upstream = upstream
    this.#topics = new JoinedTopics(upstream)
    this.#barriers = new Barriers({
      flush: async (signal) => upstream?.flush(signal),
      bufferedBytes: () => this.bufferedBytes(),
      dead: (cause) => this.#upstreamHost?.down(cause),
      progress: (isCongested) => this.#host?.progress?.(isCongested),
    })
    this.#watch = new Watch(upstream)
    this.capabilities = capabilitiesOver(upstream)
  }

  get #isOpen(): boolean {
    return !this.#connection.signal.aborted
  }

  async open(host: TransportHost, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const connection = new AbortController()
    this.#connection.abort()
    try {
      this.#upstreamHost = this.#hostOf(host, connection)
      this.#barriers.timeoutMs = timeoutsOf(host).barrierMs
      await this.#upstream?.open(this.#upstreamHost, signal)
    } catch (cause) {
      this.#topics.forgive()
      throw cause
    }
    if (signal.aborted || connection.signal.aborted) {
      await this.#upstream?.close(AbortSignal.abort())
      throw signal.reason ?? connection.signal.reason
    }
    this.#host = host
    this.#connection = connection
    this.#topics.connect(connection.signal)
    for (const guest of [...this.#guests]) guest.opened()
  }

  send(topic: Topic, frame: Uint8Array | string): 'sent' | 'offline' {
    if (!this.#isOpen) return 'offline'
    const bytes = bytesOf(frame)
    if (this.capabilities.echoes) this.#prefixes.noteOwn(bytes)
    if (this.#sendUpstream(topic, bytes) === 'offline') return 'offline'
    this.#toPages(topic, bytes)
    return 'sent'
  }

  async join(topic: Topic, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (!this.#isOpen) throw new Error('not connected')
    const giveUp = () => this.#joining.get(topic)?.reject(signal.reason)
    signal.addEventListener('abort', giveUp)
    try {
      await new Promise<void>((resolve, reject) => {
        this.#joining.set(topic, { resolve, reject })
        this.#topics.join(topic, this.#hub)
      })
    } catch (cause) {
      this.#topics.leave(topic, this.#hub)
      throw cause
    } finally {
      signal.removeEventListener('abort', giveUp)
      this.#joining.delete(topic)
    }
  }

  async watch(hub: string, signal: AbortSignal): Promise<void> {
    if (!this.#isOpen) throw new Error('not connected')
    if (!this.capabilities.watch) throw new Error(`${this.name} cannot hear every stream of a hub`)
    await this.#watch.begin(hub, signal)
  }

  leave(topic: Topic): void {
    this.#joining.get(topic)?.reject(new Error('left before the join was confirmed'))
    this.#topics.leave(topic, this.#hub)
  }

  async flush(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (!this.#isOpen) throw new Error('not connected')
    await this.#upstream?.flush(signal)
  }

  bufferedBytes(): number {
    return this.#upstream?.bufferedBytes?.() ?? 0
  }

  /** Its pages are closed, with a code by which they come back. */
  async close(signal: AbortSignal): Promise<void> {
    // After an outage the core closes before it opens again: then what pages had joined is joined again.
    const wasOpen = this.#isOpen
    if (wasOpen) this.#end('closed', undefined)
    if (wasOpen || !signal.aborted) this.#topics.clear()
    await this.#upstream?.close(signal)
  }

  attach(guest: RelayGuest): RelayPort {
    this.#guests.add(guest)
    const isOpen = () => this.#isOpen
    // A page may call in the async context of the request that its socket came with: nothing stays there.
    return {
      get isOpen() {
        return isOpen()
      },
      capabilities: this.capabilities,
      join: (topic) => runOutside(() => this.#topics.join(topic, guest)),
      leave: (topic) => runOutside(() => this.#topics.leave(topic, guest)),
      hold: (prefixes, takenOver) => this.#prefixes.hold(prefixes, takenOver),
      release: (prefixes, takenOver) => this.#prefixes.release(prefixes, takenOver),
      send: (topic, frame, sender) => runOutside(() => this.#fromPage(topic, frame, sender)),
      barrier: (answer, waits) => {
        if (this.#upstream === undefined) answer()
        else runOutside(() => this.#barriers.ask(answer, waits))
      },
      detach: () => void this.#guests.delete(guest),
    }
  }

  #hostOf(host: TransportHost, connection: AbortController): TransportHost {
    const { signal } = connection
    return {
      hub: host.hub,
      timeouts: host.timeouts,
      receive: (topic, frame) => (signal.aborted ? undefined : this.#fromUpstream(topic, frame)),
      progress: (isCongested) => (signal.aborted ? undefined : this.#barriers.progressed(isCongested)),
      down: (cause) => {
        if (signal.aborted) return
        if (connection !== this.#connection) return connection.abort(cause)
        this.#end('away', cause)
        host.down(cause)
      },
      error: (topic, cause) => {
        if (signal.aborted) return
        if (topic !== undefined) for (const guest of [...this.#guests]) guest.failed(topic)
        host.error(topic, cause)
      },
      left: (topic, cause) => {
        if (signal.aborted) return
        if (topic !== undefined) return this.#topics.left(topic, cause)
        this.#watch.end()
        host.left(topic, cause)
      },
      watched: (topic, frame) => {
        if (!signal.aborted && !this.#prefixes.isHeld(this.#echoPrefixOf(bytesOf(frame))))
          host.watched(topic, frame)
      },
    }
  }

  #fromUpstream(topic: Topic, frame: Uint8Array | string): void {
    this.#barriers.heard()
    const bytes = bytesOf(frame)
    const prefix = this.#echoPrefixOf(bytes)
    // The frames of pages were delivered here already. Echoes of the hub's frames go to the hub, which counts them.
    if (this.#prefixes.isHeld(prefix)) return
    if (!this.#prefixes.isOwn(prefix)) this.#toPages(topic, bytes)
    this.#toHub(topic, bytes)
  }

  /** Reads the prefix of a frame that may be an echo. */
  #echoPrefixOf(frame: Uint8Array): string | undefined {
    return this.capabilities.echoes ? prefixOf(frame) : undefined
  }

  #sendUpstream(topic: Topic, frame: Uint8Array): 'sent' | 'offline' {
    if (this.#upstream === undefined) return 'sent'
    const outcome = this.#upstream.send(topic, frame)
    if (outcome === 'sent') this.#barriers.sent(frame.length)
    return outcome
  }

  #fromPage(topic: Topic, frame: Uint8Array, sender: object): SendOutcome {
    if (!this.#isOpen) return 'offline'
    if (this.#barriers.isFull) return 'congested'
    if (this.#sendUpstream(topic, frame) === 'offline') return 'offline'
    this.#toPages(topic, frame, sender)
    this.#toHub(topic, frame)
    if (this.#watch.receives(topic)) this.#tell(topic, (host) => host.watched(topic, frame))
    return 'sent'
  }

  #toPages(topic: Topic, frame: Uint8Array, sender?: object): void {
    for (const user of this.#topics.usersOf(topic) ?? []) {
      if (user !== this.#hub) user.receive(topic, frame, sender)
    }
  }

  #toHub(topic: Topic, frame: Uint8Array): void {
    if (this.#topics.usersOf(topic)?.has(this.#hub)) this.#tell(topic, (host) => host.receive(topic, frame))
  }

  #tell(topic: Topic, tell: (host: TransportHost) => void): void {
    try {
      if (this.#host !== undefined) tell(this.#host)
    } catch (cause) {
      this.#host?.error(topic, cause instanceof Error ? cause : new Error(String(cause)))
    }
  }

  #end(reason: 'away' | 'closed', cause: Error | undefined): void {
    this.#connection.abort(cause)
    const ended = cause ?? new Error('the relay was closed')
    for (const guest of [...this.#guests]) guest.ended(reason)
    for (const { reject } of [...this.#joining.values()]) reject(ended)
    this.#barriers.stop()
    this.#watch.end()
    this.#topics.disconnect(reason === 'away' ? ended : undefined)
  }
}

function bytesOf(frame: Uint8Array | string): Uint8Array {
  return typeof frame === 'string' ? encoder.encode(frame) : frame
}

function abortedController(): AbortController {
  const controller = new AbortController()
  controller.abort()
  return controller
}
