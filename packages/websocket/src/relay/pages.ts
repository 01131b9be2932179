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
  /** Messages a second of one page on all its streams. @default 300 */
  readonly maxMessagesPerSecond?: number
  /** Streams that one page listens to at a time. @default 1000 */
  readonly maxJoinsPerPage?: number
  /** Bytes that wait for a page that does not take them; frames beyond are dropped. @default 1048576 */
  readonly maxWaitingBytes?: number
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
  /** Takes a socket that was accepted, and returns what takes its events. */
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
  throw new Error(`not yet: ${options.burst}`)
}
