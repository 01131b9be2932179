import { CLOSE, encodeText, KIND, PING_EVERY_MS } from '../base/protocol.ts'
import type { Relay } from '../relay/relay.ts'
import type { Hello } from './hello.ts'
import { type Limits, limitsOf, type MutableCounts, SILENT_LOG } from './limits.ts'
import { Page } from './page.ts'
import { PageGroup } from './page-group.ts'
import type { PageServer } from './page-server.ts'
import { Proofs } from './proofs.ts'
import type { PageHandler, PageHello, PageRefusal, PageSession, PageSocket, PagesLog } from './session.ts'

/** How pages are let in, and their limits. */
export interface PagesOptions {
  /**
   * Lets a page in, or says why not. `current` is the page's session when it renews its token. One that throws, or
   * rejects, tells the page to come back later.
   */
  authenticate(hello: PageHello, current: PageSession | undefined): Promise<PageSession | PageRefusal>
  /** Messages a second, of one page on one stream and of all to the pages on one stream. @default 30 */
  readonly ratePerSecond?: number
  /** How many messages may come at once. @default 30 */
  readonly burst?: number
  /**
   * The most that the data of a message takes, in bytes, up to 65536: as the option of streams. A frame of a page has
   * at most so much for each of its messages. @default 4096
   */
  readonly maxBytes?: number
  /** Messages a second of one page on all its streams. @default 300 */
  readonly maxMessagesPerSecond?: number
  /** Streams that one page listens to at a time. @default 1000 */
  readonly maxJoinsPerPage?: number
  /** Bytes that wait for a page that does not take them; frames beyond are dropped. @default 1048576 */
  readonly maxWaitingBytes?: number
  /** Connections whose token was not checked yet. One more is told to come back later. @default 2000 */
  readonly maxStrangers?: number
  /** Takes log lines. @default none */
  readonly log?: PagesLog
}

/** What happened since the start, as plain numbers. */
export interface PageCounts {
  /** Pages that are let in now. */
  readonly pages: number
  /** Streams that they listen to now, each counted for each page. */
  readonly joins: number
  /** Frames that pages sent and that passed the checks. */
  readonly received: number
  /** Frames handed to pages, each counted for each page. */
  readonly sent: number
  /** Frames that were not handed to pages: the page was too slow, or the stream had more than its rate. */
  readonly dropped: number
  /** Frames and joins of pages that were refused. */
  readonly refused: number
}

/** Serves the pages of one server. */
export interface Pages {
  /** Takes a socket that was accepted, and returns what takes its events. Ends it when there are `maxStrangers`. */
  accept(socket: PageSocket): PageHandler
  /** Ends the pages with such a session, e.g. since their key is gone. They come back, with a new token. */
  endWhere(isMeant: (session: PageSession) => boolean): void
  /** What happened since the start. */
  readonly counts: PageCounts
  /** Ends all pages; they come back. */
  close(): void
}

/** Serves pages over sockets that a server accepts. Throws `INVALID_OPTIONS`. */
export function servePages(options: PagesOptions): Pages {
  return new PageServing(options)
}

class PageServing implements Pages, PageServer {
  readonly limits: Limits
  readonly counts: MutableCounts = { pages: 0, joins: 0, received: 0, sent: 0, dropped: 0, refused: 0 }
  readonly #options: PagesOptions
  readonly #log: PagesLog
  readonly #proofs = new Proofs()
  readonly #pages = new Set<Page>()
  /** The pages whose token was not checked yet. */
  readonly #strangers = new Set<PageHandler>()
  readonly #groups = new Map<Relay, PageGroup>()
  readonly #ping = encodeText(KIND.ping)
  #timer: ReturnType<typeof setTimeout> | undefined
  #isClosed = false

  constructor(options: PagesOptions) {
    this.limits = limitsOf({ ...options })
    this.#options = options
    this.#log = options.log ?? SILENT_LOG
  }

  accept(socket: PageSocket): PageHandler {
    const page = new Page(socket, this)
    this.#pages.add(page)
    if (this.#isClosed) page.end(CLOSE.restart, 'the server closes')
    else if (this.#strangers.size >= this.limits.maxStrangers) page.end(CLOSE.later, 'too many connections')
    else this.#strangers.add(page)
    this.#look()
    return page
  }

  endWhere(isMeant: (session: PageSession) => boolean): void {
    for (const page of [...this.#pages]) {
      if (page.session !== undefined && isMeant(page.session))
        page.end(CLOSE.expired, 'the session was ended')
    }
  }

  close(): void {
    this.#isClosed = true
    for (const page of [...this.#pages]) page.end(CLOSE.restart, 'the server closes')
  }

  authenticate(hello: PageHello, current: PageSession | undefined): Promise<PageSession | PageRefusal> {
    return this.#options.authenticate(hello, current)
  }

  groupOf({ relay }: PageSession): PageGroup {
    const group = this.#groups.get(relay) ?? new PageGroup(relay, this.limits, this.counts)
    this.#groups.set(relay, group)
    return group
  }

  prove({ secret }: PageSession, hub: string, prefix: string): Promise<string> {
    return this.#proofs.sign(secret, hub, prefix)
  }

  async provenOf({ secret }: PageSession, { hub, proofs }: Hello): Promise<ReadonlySet<string>> {
    const proven = new Set<string>()
    for (const [prefix, proof] of proofs) {
      if (await this.#proofs.isGood(secret, hub, prefix, proof)) proven.add(prefix)
    }
    return proven
  }

  admitted(page: PageHandler): void {
    this.#strangers.delete(page)
  }

  entered(): void {
    this.#log.debug({ pages: this.counts.pages }, 'a page was let in')
  }

  ended(
    page: PageHandler,
    group: PageGroup | undefined,
    code: number,
    reason: string,
    fault?: unknown,
  ): void {
    this.#strangers.delete(page)
    if (group?.isEmpty) {
      group.port.detach()
      this.#groups.delete(group.relay)
    }
    if (fault === undefined) this.#log.debug({ code, reason }, 'a page has ended')
    else this.#log.warn({ code, reason, fault }, 'a page was ended by a fault of the server')
  }

  /** One timer for all pages, while there are any. */
  #look(): void {
    if (this.#timer !== undefined) return
    const next = () => {
      this.#timer = undefined
      const nowMs = performance.now()
      for (const page of [...this.#pages]) {
        if (!page.tick(nowMs, this.#ping)) this.#pages.delete(page)
      }
      if (this.#pages.size > 0) this.#look()
    }
    this.#timer = setTimeout(next, PING_EVERY_MS)
    ;(this.#timer as { unref?(): void }).unref?.()
  }
}
