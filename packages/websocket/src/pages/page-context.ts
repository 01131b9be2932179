import type { Relay } from '../relay/relay.ts'
import { IdentityJoins } from './identity-joins.ts'
import { PageBuckets } from './page-buckets.ts'
import type { MutableCounts } from './page-counts.ts'
import { PageGroup } from './page-group.ts'
import { PagePrefixes } from './page-prefixes.ts'
import { type Limits, limitsOf, type PagesOptions, SILENT_LOG } from './pages-options.ts'
import type { PageHello, PageRefusal, PageSession, PagesLog } from './session.ts'

/** Ends a connection; called again it does nothing. `fault` is what the server is to blame for. */
export type EndPage = (code: number, reason: string, fault?: unknown) => void

/** A connection whose token was not checked yet. */
export interface Stranger {
  /** Ends it at once, so that another one can be heard. */
  giveWay(): void
}

/** What the pages of one server have in common. */
export class PageContext {
  readonly limits: Limits
  readonly counts: MutableCounts = { pages: 0, joins: 0, received: 0, sent: 0, dropped: 0, refused: 0 }
  /** The connections whose token was not checked yet, the oldest first. */
  readonly strangers = new Set<Stranger>()
  readonly identityJoins: IdentityJoins
  readonly buckets: PageBuckets
  readonly log: PagesLog
  readonly prefixes = new PagePrefixes()
  readonly #options: PagesOptions
  readonly #groups = new Map<Relay, PageGroup>()

  constructor(options: PagesOptions) {
    this.limits = limitsOf({ ...options })
    this.identityJoins = new IdentityJoins(this.limits.maxJoinsPerIdentity)
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
