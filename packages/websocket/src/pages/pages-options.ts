import { invalidOptions } from '../base/invalid-options.ts'
import type { PageHello, PageRefusal, PageSession, PagesLog } from './session.ts'

/** How pages are let in, and their limits. */
export interface PagesOptions {
  /**
   * Lets a page in, or says why not. `current` is the page's session when it renews its token. One that throws, or
   * rejects, tells the page to come back later.
   */
  authenticate(hello: PageHello, current: PageSession | undefined): Promise<PageSession | PageRefusal>
  /** Messages a second, of one page on one stream and of all to the pages on one stream. @default 30 */
  readonly ratePerSecond?: number | undefined
  /** How many messages may come at once. @default 30 */
  readonly burst?: number | undefined
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
  /** Connections whose token was not checked yet. One more ends the oldest of them. @default 2000 */
  readonly maxStrangers?: number | undefined
  /** Takes log lines. @default none */
  readonly log?: PagesLog | undefined
}

/** What pages may do at the most. */
export type Limits = Required<Omit<PagesOptions, 'authenticate' | 'log'>>

/** Least value, default and greatest value of each limit. */
const BOUNDS: Readonly<Record<keyof Limits, readonly [least: number, usual: number, most: number]>> = {
  ratePerSecond: [0.001, 30, 1_000_000],
  burst: [1, 30, 1_000_000],
  maxBytes: [1, 4_096, 65_536],
  maxMessagesPerSecond: [1, 300, 1_000_000],
  maxJoinsPerPage: [1, 1_000, 1_000_000],
  maxJoinsPerIdentity: [1, 10_000, 1_000_000_000],
  maxWaitingBytes: [16_384, 1_048_576, 2 ** 31 - 1],
  maxStrangers: [1, 2_000, 1_000_000],
}

export const SILENT_LOG: PagesLog = { debug() {}, info() {}, warn() {} }

/** Takes the limits out of options. Throws `INVALID_OPTIONS` for one that is out of bounds, or has no meaning. */
export function limitsOf({ authenticate, log, ...given }: Record<string, unknown>): Limits {
  if (typeof authenticate !== 'function')
    throw invalidOptions('servePages needs { authenticate }, a function.')
  if (log !== undefined && (typeof log !== 'object' || log === null))
    throw invalidOptions('A log is an object.')
  const stray = Object.keys(given).find((name) => !Object.hasOwn(BOUNDS, name))
  if (stray !== undefined) {
    throw invalidOptions(
      `There is no option "${stray}" of servePages; there are ${Object.keys(BOUNDS).join(', ')}.`,
    )
  }
  const limits = Object.entries(BOUNDS).map(([name, [least, usual, most]]) => {
    const value = given[name] ?? usual
    if (typeof value === 'number' && value >= least && value <= most) return [name, value]
    throw invalidOptions(`The option "${name}" of servePages is a number from ${least} to ${most}.`)
  })
  return Object.freeze(Object.fromEntries(limits)) as Limits
}
