import { invalid } from '../base/invalid.ts'
import type { PageHello, PageRefusal, PageSession, PagesLog } from './session.ts'

/** The function that authenticates pages, and their limits. */
export interface PagesOptions {
  /**
   * Returns the session of a page, or the reason of a refusal. `current` is the page's session when it renews its token. One that throws, or
   * rejects, closes the page with a code by which it comes back later.
   */
  authenticate(hello: PageHello, current: PageSession | undefined): Promise<PageSession | PageRefusal>
  /** Messages a second, of one page on one stream and of all to the pages on one stream. @default 30 */
  readonly ratePerSecond?: number | undefined
  /** How many messages may come at once. @default 30 */
  readonly burst?: number | undefined
  /**
   * How many publishers a stream has at the most, pages or not: each with that rate, so all to the pages on one stream have
   * so many times as much. As `limit.publishers` of the streams. @default 1
   */
  readonly publishers?: number | undefined
  /**
   * The most that the data of a message takes, in bytes, up to 65536: as the option of streams. A frame of a page with
   * more in a message is refused. @default 4096
   */
  readonly maxBytes?: number | undefined
  /** Messages a second of one page on all its streams. @default 300 */
  readonly maxMessagesPerSecond?: number | undefined
  /** Streams that one page listens to at a time. @default 1000 */
  readonly maxJoinsPerPage?: number | undefined
  /** Streams that all pages of one identity listen to at a time, those of a trusted page apart. @default 10000 */
  readonly maxJoinsPerIdentity?: number | undefined
  /** Bytes that wait for a page that does not take them; frames beyond are dropped. @default 1048576 */
  readonly maxWaitingBytes?: number | undefined
  /** Pending connections, whose token is not checked yet. One more evicts the oldest of them. @default 2000 */
  readonly maxPending?: number | undefined
  /** Takes log lines. @default none */
  readonly log?: PagesLog | undefined
}

/** The limits of pages. */
export type PageLimits = Required<Omit<PagesOptions, 'authenticate' | 'log'>>

/** Least value, default and greatest value of each limit. */
export const PAGE_BOUNDS: Readonly<
  Record<keyof PageLimits, readonly [least: number, usual: number, most: number]>
> = {
  ratePerSecond: [0.001, 30, 1_000_000],
  burst: [1, 30, 1_000_000],
  publishers: [1, 1, 1_000_000],
  maxBytes: [1, 4_096, 65_536],
  maxMessagesPerSecond: [1, 300, 1_000_000],
  maxJoinsPerPage: [1, 1_000, 1_000_000],
  maxJoinsPerIdentity: [1, 10_000, 1_000_000_000],
  maxWaitingBytes: [16_384, 1_048_576, 2 ** 31 - 1],
  maxPending: [1, 2_000, 1_000_000],
}

export const SILENT_LOG: PagesLog = { debug() {}, info() {}, warn() {} }

/** Takes the limits out of options. Throws `INVALID_OPTIONS` for one that is out of bounds, or has no meaning. */
export function limitsOf({ authenticate, log, ...given }: Record<string, unknown>): PageLimits {
  if (typeof authenticate !== 'function') throw invalid('servePages needs { authenticate }, a function.')
  if (log !== undefined && (typeof log !== 'object' || log === null)) throw invalid('A log is an object.')
  const stray = Object.keys(given).find((name) => !Object.hasOwn(PAGE_BOUNDS, name))
  if (stray !== undefined) {
    throw invalid(
      `There is no option "${stray}" of servePages; there are ${Object.keys(PAGE_BOUNDS).join(', ')}.`,
    )
  }
  const limits = Object.entries(PAGE_BOUNDS).map(([name, [least, usual, most]]) => {
    const value = given[name] ?? usual
    if (typeof value === 'number' && value >= least && value <= most) return [name, value]
    throw invalid(`The option "${name}" of servePages is a number from ${least} to ${most}.`)
  })
  return Object.freeze(Object.fromEntries(limits)) as PageLimits
}
