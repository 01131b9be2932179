import {
  type PageCounts,
  type PageHandler,
  type PageSocket,
  type Pages,
  servePages,
} from '@rivulet/websocket/relay'
import type { GatewayLog } from '../base/gateway-log.ts'
import { type KeyedSession, PageAccess, type PageAccessOptions } from './page-access.ts'

/** How many pages there may be, and how they behave. */
interface PageGateOptions extends PageAccessOptions {
  readonly log: GatewayLog
  readonly pageRatePerSecond: number
  readonly pageBurst: number
  readonly pageMaxBytes: number
  readonly maxPageMessagesPerSecond: number
  readonly maxSubscriptionsPerConnection: number
  readonly maxPageSubscriptionsPerIdentity: number
  readonly maxConnectionWaitingBytes: number
}

/** The most that `servePages` takes. */
const UNLIMITED = 1_000_000_000

/** All pages of a gateway. */
export class PageGate {
  readonly #pages: Pages

  constructor(options: PageGateOptions) {
    const access = new PageAccess(options)
    this.#pages = servePages({
      authenticate: (hello, current) => access.authenticate(hello, current),
      ratePerSecond: options.pageRatePerSecond,
      burst: options.pageBurst,
      maxBytes: options.pageMaxBytes,
      maxMessagesPerSecond: options.maxPageMessagesPerSecond,
      maxJoinsPerPage: options.maxSubscriptionsPerConnection,
      // Without keys all pages have one identity.
      maxJoinsPerIdentity: options.isOpen ? UNLIMITED : options.maxPageSubscriptionsPerIdentity,
      maxWaitingBytes: options.maxConnectionWaitingBytes,
      log: options.log,
    })
  }

  get counts(): PageCounts {
    return this.#pages.counts
  }

  /** Takes a socket over. When too many pages have not said yet who they are, the oldest of them gives way. */
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
