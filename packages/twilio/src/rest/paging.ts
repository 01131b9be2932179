import { ApiError } from '@rivulet/gateway/protocol'
import { PROBLEMS } from '../base/problem.ts'
import type { PageEdge, RecordPage } from '../registry/registry.ts'
import type { StreamRecord } from '../registry/stream-record.ts'

const DEFAULT_PAGE_SIZE = 50
// Twilio Sync's own; the SDK asks for up to 1000 and is given pages of 100.
const MAX_PAGE_SIZE = 100
/** `A`fter or `B`efore a stream, given by its age and sid, so that it may be removed meanwhile. */
const TOKEN = /^P([AB])([0-9a-z]{1,11})-(TO[0-9a-fA-F]{32})$/

/** The page that a request asks for. */
export interface PageRequest {
  readonly size: number
  /** The number of the page, for clients; nothing here depends on it. */
  readonly number: number
  readonly token: string | undefined
  readonly from: PageEdge | undefined
}

/** Reads the parameters of a request for a page. Throws 20001. */
export function readPageRequest(query: URLSearchParams): PageRequest {
  const size = sizeOf(query.get('PageSize'))
  const number = numberOf(query.get('Page') ?? '0')
  const token = query.get('PageToken') ?? undefined
  return { size, number, token, from: token === undefined ? undefined : edgeOf(token) }
}

/** Describes a page, with the URLs of its neighbours. `listUrl` has no query. */
export function pageMeta(
  { records, hasOlder, hasYounger }: RecordPage,
  { size, number, token }: PageRequest,
  listUrl: string,
): Record<string, unknown> {
  const urlOf = (page: number, pageToken?: string) =>
    `${listUrl}?PageSize=${size}&Page=${Math.max(page, 0)}${pageToken ? `&PageToken=${pageToken}` : ''}`
  const [first] = records
  const last = records.at(-1)
  return {
    first_page_url: urlOf(0),
    key: 'streams',
    next_page_url: hasYounger && last !== undefined ? urlOf(number + 1, tokenOf('A', last)) : null,
    page: number,
    page_size: size,
    previous_page_url: hasOlder && first !== undefined ? urlOf(number - 1, tokenOf('B', first)) : null,
    url: urlOf(number, token),
  }
}

function sizeOf(given: string | null): number {
  if (given === null) return DEFAULT_PAGE_SIZE
  const size = numberOf(given)
  if (size < 1) throw new ApiError(PROBLEMS.badPage)
  return Math.min(size, MAX_PAGE_SIZE)
}

function numberOf(given: string): number {
  if (!/^\d{1,9}$/.test(given)) throw new ApiError(PROBLEMS.badPage)
  return Number(given)
}

function edgeOf(token: string): PageEdge {
  const [, side, age = '', sid = ''] = TOKEN.exec(token) ?? []
  if (side === undefined) throw new ApiError(PROBLEMS.badPage)
  return { side: side === 'A' ? 'after' : 'before', createdMs: Number.parseInt(age, 36), sid }
}

function tokenOf(side: 'A' | 'B', record: StreamRecord): string {
  return `P${side}${record.createdMs.toString(36)}-${record.sid}`
}
