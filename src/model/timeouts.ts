import { invalid } from './errors.ts'
import { type Checks, checkNumber, checkOptions } from './options.ts'
import { isRecord } from './snapshot.ts'

/** How long a hub waits for its broker, all in milliseconds: 1 to 2³¹−1. */
export interface TimeoutOptions {
  /**
   * How long one server has to let the hub in: address, handshakes and login. Where several are dialled in turn each has
   * its share of `openMs` at the most. @default 5000, for a satellite link with TLS
   */
  readonly dialMs?: number | undefined
  /** How long one attempt to connect may take, over all servers. @default 20000 */
  readonly openMs?: number | undefined
  /** How long the broker has to confirm a join; then it is asked again. @default 5000 */
  readonly joinMs?: number | undefined
  /**
   * How long a barrier, which confirms what was sent before it, waits for a sign of life: an answer, or bytes that leave the
   * client. After two such times in a row the connection is dead. A longer one bears longer pauses of the link; with a
   * shorter one an outage is noticed sooner. @default 2000
   */
  readonly barrierMs?: number | undefined
  /** How often the connection is checked while something is joined and nothing is in flight. @default 30000 */
  readonly idleMs?: number | undefined
  /** How long `close` takes at the most, whatever the broker does: half of it to confirm what was sent. @default 5000 */
  readonly closeMs?: number | undefined
}

/** Timeouts with the defaults filled in; frozen. */
export type Timeouts = { readonly [Name in keyof TimeoutOptions]-?: NonNullable<TimeoutOptions[Name]> }

/** What a hub has when nothing is said. */
export const DEFAULT_TIMEOUTS: Timeouts = Object.freeze({
  dialMs: 5_000,
  openMs: 20_000,
  joinMs: 5_000,
  barrierMs: 2_000,
  idleMs: 30_000,
  closeMs: 5_000,
})

const LONGEST_MS = 2 ** 31 - 1
const check = (name: keyof Timeouts) => (value: unknown) =>
  checkNumber(`timeouts.${name}`, value, 1, LONGEST_MS)

const CHECKS: Checks<Timeouts> = {
  dialMs: check('dialMs'),
  openMs: check('openMs'),
  joinMs: check('joinMs'),
  barrierMs: check('barrierMs'),
  idleMs: check('idleMs'),
  closeMs: check('closeMs'),
}

/** Lays timeouts over a base. Throws `INVALID_OPTIONS`. */
export function resolveTimeouts(given: unknown, base: Timeouts): Timeouts {
  if (!isRecord(given)) throw invalid(`timeouts is an object { ${Object.keys(base).join(', ')} }.`)
  return checkOptions('timeouts', given, base, CHECKS)
}

/** Returns the timeouts of the hub that opens a transport; the defaults when what wraps the transport gives none. */
export function timeoutsOf(host: { readonly timeouts?: Timeouts | undefined }): Timeouts {
  return host.timeouts ?? DEFAULT_TIMEOUTS
}

/** Returns how long one of so many servers has, when they are dialled in turn. */
export function dialShareMs({ dialMs, openMs }: Timeouts, servers: number): number {
  return Math.max(1, Math.min(dialMs, Math.floor(openMs / Math.max(1, servers))))
}
