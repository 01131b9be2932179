import type { GatewayLog } from '../base/gateway-log.ts'
import {
  type KeyedSession,
  PageAccess,
  type PageAccessLimits,
  type PageAccessOptions,
} from './page-access.ts'
import type { PageCounts } from './page-counts.ts'
import { type Pages, servePages } from './pages.ts'
import type { PageLimits } from './pages-options.ts'
import type { PageHandler, PageSocket } from './session.ts'

/** The settings of the pages of a gateway. */
interface PageGateOptions extends PageAccessOptions {
  readonly log: GatewayLog
  readonly limits: { readonly pages: PageAccessLimits & PageLimits }
}

/** All pages of a gateway. */
export class PageGate {
  readonly #pages: Pages

  constructor(options: PageGateOptions) {
    const access = new PageAccess(options)
    const { maxPerKey, maxPerIdentity, ...limits } = options.limits.pages
    this.#pages = servePages({
      authenticate: (hello, current) => access.authenticate(hello, current),
      ...limits,
      log: options.log,
    })
  }

  get counts(): PageCounts {
    return this.#pages.counts
  }

  /** Takes a socket over. When there are too many pending connections, the oldest of them is evicted. */
  accept(socket: PageSocket): PageHandler {
    return this.#pages.accept(socket)
  }

  /** Ends the pages of keys; they come back, if they have other tokens. */
  endOf(keySids: ReadonlySet<string>): void {
    this.#pages.endWhere((session) => keySids.has((session as KeyedSession).keySid))
  }

  /** Ends all pages; they come back by themselves. */
  close(): void {
    this.#pages.close()
  }
}
