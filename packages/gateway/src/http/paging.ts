import { ApiError } from '../base/problem.ts'
import type { StreamRecord } from '../registry/stream-record.ts'

const DEFAULT_PAGE_SIZE = 50
// Twilio Sync's own; the SDK asks for up to 1000 and is given pages of 100.
const MAX_PAGE_SIZE = 100
/** `A`fter or `B`efore a stream, given by its age and sid, so that it may be removed meanwhile. */
const TOKEN = /^P([AB])([0-9a-z]{1,10})-(TO[0-9a-fA-F]{32})$/

/** One page of a list, with the URLs of its neighbours. */
export interface Page {
  readonly records: readonly StreamRecord[]
  readonly meta: Readonly<Record<string, unknown>>
}

/** Cuts a page out of all streams of a service (oldest first). `listUrl` has no query. Throws 20001. */
export function pageOf(all: readonly StreamRecord[], query: URLSearchParams, listUrl: string): Page {
  const size = sizeOf(query.get('PageSize'))
  const page = numberOf(query.get('Page') ?? '0')
  const start = startOf(all, query.get('PageToken'), size)
  const records = all.slice(start, start + size)
  const urlOf = (number: number, token?: string) =>
    `${listUrl}?PageSize=${size}&Page=${Math.max(number, 0)}${token ? `&PageToken=${token}` : ''}`
  const last = records.at(-1)
  const isLast = last === undefined || start + size >= all.length
  const [first] = records
  return {
    records,
    meta: {
      first_page_url: urlOf(0),
      key: 'streams',
      next_page_url: isLast ? null : urlOf(page + 1, tokenOf('A', last)),
      page,
      page_size: size,
      previous_page_url: start === 0 || first === undefined ? null : urlOf(page - 1, tokenOf('B', first)),
      url: urlOf(page, query.get('PageToken') ?? undefined),
    },
  }
}

function sizeOf(given: string | null): number {
  if (given === null) return DEFAULT_PAGE_SIZE
  const size = numberOf(given)
  if (size < 1) throw new ApiError('badPage')
  return Math.min(size, MAX_PAGE_SIZE)
}

function numberOf(given: string): number {
  if (!/^\d{1,9}$/.test(given)) throw new ApiError('badPage')
  return Number(given)
}

function startOf(all: readonly StreamRecord[], token: string | null, size: number): number {
  if (token === null) return 0
  const [, side, age = '', sid = ''] = TOKEN.exec(token) ?? []
  if (side === undefined) throw new ApiError('badPage')
  const createdMs = Number.parseInt(age, 36)
  const isFrom = (record: StreamRecord) =>
    record.createdMs > createdMs || (record.createdMs === createdMs && record.sid >= sid)
  const found = all.findIndex(isFrom)
  const index = found === -1 ? all.length : found
  if (side === 'B') return Math.max(index - size, 0)
  return all[index]?.sid === sid ? index + 1 : index
}

function tokenOf(side: 'A' | 'B', record: StreamRecord): string {
  return `P${side}${record.createdMs.toString(36)}-${record.sid}`
}
