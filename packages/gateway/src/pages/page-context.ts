import { PendingConnections } from '../sessions/pending.ts'
import { Quota } from '../sessions/quota.ts'
import { PageBuckets } from './page-buckets.ts'
import type { MutableCounts } from './page-counts.ts'
import { PageGroup } from './page-group.ts'
import { PagePrefixes } from './page-prefixes.ts'
import { limitsOf, type PageLimits, type PagesOptions, SILENT_LOG } from './pages-options.ts'
import type { Relay } from './relay/relay.ts'
import type { PageHello, PageRefusal, PageSession, PagesLog } from './session.ts'

/** Ends a connection; called again it does nothing. `fault` is the error of the server that caused it. */
export type EndPage = (code: number, reason: string, fault?: unknown) => void

/** The state that the pages of one server share. */
export class PageContext {
  readonly limits: PageLimits
  readonly counts: MutableCounts = { pages: 0, joins: 0, received: 0, sent: 0, dropped: 0, refused: 0 }
  readonly pending: PendingConnections
  readonly identityJoins: Quota
  readonly buckets: PageBuckets
  readonly log: PagesLog
  readonly prefixes = new PagePrefixes()
  readonly #options: PagesOptions
  readonly #groups = new Map<Relay, PageGroup>()

  constructor(options: PagesOptions) {
    this.limits = limitsOf({ ...options })
    this.pending = new PendingConnections(this.limits.maxPending)
    this.identityJoins = new Quota(this.limits.maxJoinsPerIdentity)
    this.buckets = new PageBuckets(this.limits)
    this.log = options.log ?? SILENT_LOG
    this.#options = options
  }

  authenticate(hello: PageHello, current: PageSession | undefined): Promise<PageSession | PageRefusal> {
    return this.#options.authenticate(hello, current)
  }

  groupOf({ relay }: PageSession): PageGroup {
    const group = this.#groups.get(relay) ?? new PageGroup(relay, this.limits, this.counts)
    this.#groups.set(relay, group)
    return group
  }

  /** Detaches a group from its relay when its last page has gone. */
  release(group: PageGroup): void {
    if (!group.isEmpty) return
    group.port.detach()
    this.#groups.delete(group.relay)
  }
}
