import { runOutside } from 'rivulet/transport'
import { CLOSE, encodeText, KIND, PING_EVERY_MS } from '../base/protocol.ts'
import { unref } from '../base/unref.ts'
import { Page } from './page.ts'
import { PageContext } from './page-context.ts'
import type { PageCounts } from './page-counts.ts'
import type { PagesOptions } from './pages-options.ts'
import type { PageHandler, PageSession, PageSocket } from './session.ts'

/** Serves the pages of one server. */
export interface Pages {
  /** Takes a socket that was accepted, and returns what takes its events. The oldest of `maxStrangers` gives way to it. */
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
  return new PagesOfServer(options)
}

class PagesOfServer implements Pages {
  readonly #context: PageContext
  readonly #pages = new Set<Page>()
  readonly #ping = encodeText(KIND.ping)
  #timer: ReturnType<typeof setTimeout> | undefined
  #isClosed = false

  constructor(options: PagesOptions) {
    this.#context = new PageContext(options)
  }

  get counts(): PageCounts {
    return this.#context.counts
  }

  accept(socket: PageSocket): PageHandler {
    const { limits, strangers } = this.#context
    const page = new Page(socket, this.#context)
    this.#pages.add(page)
    if (this.#isClosed) page.end(CLOSE.restart, 'the server closes')
    else {
      // Not the new one: who opens many connections and says nothing would keep all others out.
      const [oldest] = strangers.size >= limits.maxStrangers ? strangers : []
      oldest?.giveWay()
      strangers.add(page)
    }
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

  /** One timer for all pages, while there are any; it belongs to no request. */
  #look(): void {
    if (this.#timer !== undefined) return
    const next = () => {
      this.#timer = undefined
      const nowMs = performance.now()
      this.#context.buckets.forgetIdle(nowMs)
      for (const page of [...this.#pages]) {
        if (!page.tick(nowMs, this.#ping)) this.#pages.delete(page)
      }
      if (this.#pages.size > 0) this.#look()
    }
    this.#timer = runOutside(() => setTimeout(next, PING_EVERY_MS))
    unref(this.#timer)
  }
}
