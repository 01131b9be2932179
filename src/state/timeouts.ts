import { invalid } from '../errors/errors.ts'
import { isRecord } from '../message/snapshot.ts'
import { type Checks, checkNumber, checkOptions } from './options.ts'

/** The waits of a hub for its broker, all in milliseconds: 1 to 2³¹−1. */
export interface TimeoutOptions {
  /**
   * The longest dial of one server: address, handshakes and login. When several are dialled in turn, each has at most
   * its share of `openMs`. @default 5000, for a satellite link with TLS
   */
  readonly dialMs?: number | undefined
  /** The longest attempt to connect, over all servers. @default 20000 */
  readonly openMs?: number | undefined
  /** The longest wait for the confirmation of a join, which is then tried again. @default 5000 */
  readonly joinMs?: number | undefined
  /**
   * The longest wait of a barrier, which confirms the messages before it, for a sign of life: a response, or bytes that
   * leave the client. After two such waits in a row the connection is dead. A longer one tolerates longer pauses of the
   * link; a shorter one detects an outage sooner. @default 2000
   */
  readonly barrierMs?: number | undefined
  /** The time between checks of the connection while a topic is joined and nothing is in flight. @default 30000 */
  readonly idleMs?: number | undefined
  /**
   * The longest `close`, whatever the broker does. Half of it is for capacity for kept values of `publishLatest`, two
   * fifths at the most, and for confirmations. @default 5000
   */
  readonly closeMs?: number | undefined
}

/** Timeouts with the defaults filled in; frozen. */
export type Timeouts = { readonly [Name in keyof TimeoutOptions]-?: NonNullable<TimeoutOptions[Name]> }

/** The timeouts of a hub without options. */
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

/** Returns the timeouts of the hub that opens a transport; the defaults when a wrapper of the transport passes none on. */
export function timeoutsOf(host: { readonly timeouts?: Timeouts | undefined }): Timeouts {
  return host.timeouts ?? DEFAULT_TIMEOUTS
}

/** Returns the longest dial of one server, in milliseconds, when this many are dialled in turn. */
export function dialShareMs({ dialMs, openMs }: Timeouts, servers: number): number {
  return Math.max(1, Math.min(dialMs, Math.floor(openMs / Math.max(1, servers))))
}
