import { CLOSE, encodeText, KIND, PING_EVERY_MS } from '@rivulet/websocket/protocol'
import { Heartbeat } from '../sessions/heartbeat.ts'
import { Page } from './page.ts'
import { PageContext } from './page-context.ts'
import type { PageCounts } from './page-counts.ts'
import type { PagesOptions } from './pages-options.ts'
import type { PageHandler, PageSession, PageSocket } from './session.ts'

/** Serves the pages of one server. */
export interface Pages {
  /** Takes an accepted socket over, and returns the handler of its events. Beyond `maxPending` the oldest is evicted. */
  accept(socket: PageSocket): PageHandler
  /** Ends the pages with such a session, e.g. since their key is gone. They come back, with a new token. */
  endWhere(isMeant: (session: PageSession) => boolean): void
  /** Counts since the start. */
  readonly counts: PageCounts
  /** Ends all pages; they come back. */
  close(): void
}

/** Serves pages over sockets that a server accepts. Throws `INVALID_OPTIONS`. */
export function servePages(options: PagesOptions): Pages {
  return new PagesOfServer(options)
}

class PagesOfServer implements Pages {
  readonly #context: PageContext
  readonly #pages = new Heartbeat<Page>(PING_EVERY_MS, (pages, nowMs) => this.#beat(pages, nowMs))
  readonly #ping = encodeText(KIND.ping)
  #isClosed = false

  constructor(options: PagesOptions) {
    this.#context = new PageContext(options)
  }

  get counts(): PageCounts {
    return this.#context.counts
  }

  accept(socket: PageSocket): PageHandler {
    const page = new Page(socket, this.#context)
    this.#pages.add(page)
    if (this.#isClosed) page.end(CLOSE.restart, 'the server closes')
    else this.#context.pending.add(page)
    return page
  }

  endWhere(isMeant: (session: PageSession) => boolean): void {
    for (const page of this.#pages.sessions) {
      if (page.session !== undefined && isMeant(page.session))
        page.end(CLOSE.expired, 'the session was ended')
    }
  }

  close(): void {
    this.#isClosed = true
    for (const page of this.#pages.sessions) page.end(CLOSE.restart, 'the server closes')
  }

  #beat(pages: readonly Page[], nowMs: number): void {
    this.#context.buckets.forgetIdle(nowMs)
    for (const page of pages) {
      if (!page.tick(nowMs, this.#ping)) this.#pages.delete(page)
    }
  }
}
