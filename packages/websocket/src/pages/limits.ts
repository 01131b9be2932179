import { RivuletError } from 'rivulet'
import type { PagesLog } from './session.ts'

/** What pages may do at the most. */
export interface Limits {
  readonly ratePerSecond: number
  readonly burst: number
  readonly maxBytes: number
  readonly maxMessagesPerSecond: number
  readonly maxJoinsPerPage: number
  readonly maxWaitingBytes: number
  readonly maxStrangers: number
}

/** Counts of what happened, as they are kept. */
export type MutableCounts = Record<'pages' | 'joins' | 'received' | 'sent' | 'dropped' | 'refused', number>

/** Least value, default and greatest value of each limit. */
const BOUNDS: Readonly<Record<keyof Limits, readonly [least: number, usual: number, most: number]>> = {
  ratePerSecond: [0.001, 30, 1_000_000],
  burst: [1, 30, 1_000_000],
  maxBytes: [1, 4_096, 65_536],
  maxMessagesPerSecond: [1, 300, 1_000_000],
  maxJoinsPerPage: [1, 1_000, 1_000_000],
  maxWaitingBytes: [16_384, 1_048_576, 2 ** 31 - 1],
  maxStrangers: [1, 2_000, 1_000_000],
}

export const SILENT_LOG: PagesLog = { debug() {}, info() {}, warn() {} }

/** Takes the limits out of options. Throws `INVALID_OPTIONS` for one that is out of bounds, or has no meaning. */
export function limitsOf({ authenticate, log, ...given }: Record<string, unknown>): Limits {
  if (typeof authenticate !== 'function') throw invalid('servePages needs { authenticate }, a function.')
  if (log !== undefined && (typeof log !== 'object' || log === null)) throw invalid('A log is an object.')
  const stray = Object.keys(given).find((name) => !Object.hasOwn(BOUNDS, name))
  if (stray !== undefined) {
    throw invalid(`There is no option "${stray}" of servePages; there are ${Object.keys(BOUNDS).join(', ')}.`)
  }
  const limits = Object.entries(BOUNDS).map(([name, [least, usual, most]]) => {
    const value = given[name] ?? usual
    if (typeof value === 'number' && value >= least && value <= most) return [name, value]
    throw invalid(`The option "${name}" of servePages is a number from ${least} to ${most}.`)
  })
  return Object.freeze(Object.fromEntries(limits)) as Limits
}

function invalid(message: string): RivuletError {
  return new RivuletError('INVALID_OPTIONS', message)
}
