import type { Hello } from './hello.ts'
import type { Limits, MutableCounts } from './limits.ts'
import type { PageGroup } from './page-group.ts'
import type { PageHandler, PageHello, PageRefusal, PageSession } from './session.ts'

/** What a page needs of the server that serves it. */
export interface PageServer {
  readonly limits: Limits
  readonly counts: MutableCounts
  authenticate(hello: PageHello, current: PageSession | undefined): Promise<PageSession | PageRefusal>
  groupOf(session: PageSession): PageGroup
  /** Gives the proof that a prefix is the page's. */
  prove(session: PageSession, hub: string, prefix: string): Promise<string>
  /** Gives those prefixes whose proofs are good. */
  provenOf(session: PageSession, hello: Hello): Promise<ReadonlySet<string>>
  /** The token of a page was checked. */
  admitted(page: PageHandler): void
  /** A page was let in. */
  entered(): void
  /** A page has ended, and has left its group if it had one. */
  ended(page: PageHandler, group: PageGroup | undefined, code: number, reason: string, fault?: unknown): void
}

/** Ends a connection; called again it does nothing. `fault` is what the server is to blame for. */
export type EndPage = (code: number, reason: string, fault?: unknown) => void
