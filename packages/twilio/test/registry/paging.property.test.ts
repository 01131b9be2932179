import { memoryRegistry, type StreamRecord } from '@rivulet/twilio'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { pageMeta, readPageRequest } from '../../src/rest/paging.ts'

const SERVICES = [`IS${'1'.repeat(32)}`, `IS${'2'.repeat(32)}`] as const
const URL_OF_LIST = 'http://x/Streams'

/** Cuts a page as the API documents it, out of a list that was filtered and sorted as a whole. */
function modelPage(all: readonly StreamRecord[], query: URLSearchParams) {
  const [size, page, token] = [
    Number(query.get('PageSize')),
    Number(query.get('Page')),
    query.get('PageToken'),
  ]
  const [side, age = '', sid = ''] = [token?.slice(1, 2), ...(token?.slice(2).split('-') ?? [])]
  const isFrom = (record: StreamRecord) =>
    record.createdMs > Number.parseInt(age, 36) ||
    (record.createdMs === Number.parseInt(age, 36) && record.sid >= sid)
  const found = all.findIndex(isFrom)
  const index = found === -1 ? all.length : found
  const afterIndex = all[index]?.sid === sid ? index + 1 : index
  const start = token === null ? 0 : side === 'B' ? Math.max(index - size, 0) : afterIndex
  const records = all.slice(start, start + size)
  const urlOf = (number: number, side?: string, record?: StreamRecord) => {
    const pageToken = record && `&PageToken=P${side}${record.createdMs.toString(36)}-${record.sid}`
    return `${URL_OF_LIST}?PageSize=${size}&Page=${Math.max(number, 0)}${pageToken ?? ''}`
  }
  const [first, last] = [records[0], records.at(-1)]
  const meta = {
    first_page_url: urlOf(0),
    key: 'streams',
    next_page_url: last && start + size < all.length ? urlOf(page + 1, 'A', last) : null,
    page,
    page_size: size,
    previous_page_url: first && start > 0 ? urlOf(page - 1, 'B', first) : null,
    url: `${urlOf(page)}${token === null ? '' : `&PageToken=${token}`}`,
  }
  return { records, meta }
}

function byAge(one: StreamRecord, other: StreamRecord): number {
  return one.createdMs - other.createdMs || (one.sid < other.sid ? -1 : 1)
}

const service = fc.constantFrom(...SERVICES)
const step = fc.oneof(
  // The clock may be set back, so that a stream is older than those before it.
  fc.record({
    do: fc.constant('create'),
    service,
    tickMs: fc.integer({ min: -3, max: 200 }),
    isBrief: fc.boolean(),
  }),
  fc.record({ do: fc.constantFrom('remove', 'setTtl'), service, nth: fc.nat() }),
  fc.record({
    do: fc.constant('list'),
    service,
    size: fc.integer({ min: 1, max: 5 }),
    modulus: fc.constantFrom(1, 2, 7),
  }),
  fc.record({ do: fc.constantFrom('next', 'previous'), size: fc.integer({ min: 1, max: 5 }) }),
)

test('a page is what filtering, sorting and slicing all streams would give', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 30, maxLength: 120, size: 'max' }), async (steps) => {
      let nowMs = 1_000_000
      const registry = memoryRegistry({ nowMs: () => nowMs })
      let all: StreamRecord[] = []
      let asked = { service: SERVICES[0] as string, accepts: (_: StreamRecord) => true }
      const neighbours: Record<'next' | 'previous', string | null> = { next: null, previous: null }
      const isThere = ({ expiresMs }: StreamRecord) => expiresMs === null || expiresMs > nowMs
      const page = async (url: string) => {
        const query = new URL(url).searchParams
        const request = readPageRequest(query)
        const { size, from } = request
        const found = await registry.page(asked.service, { size, from, accepts: asked.accepts })
        const isIn = (record: StreamRecord) =>
          record.serviceSid === asked.service && isThere(record) && asked.accepts(record)
        const model = modelPage(all.filter(isIn).sort(byAge), query)
        const meta = pageMeta(found, request, URL_OF_LIST)
        expect({ records: found.records, meta }).toEqual(model)
        neighbours.next = model.meta.next_page_url
        neighbours.previous = model.meta.previous_page_url
      }
      for (const each of steps) {
        if ('isBrief' in each) {
          nowMs += each.tickMs
          const record = await registry.create(each.service, null, each.isBrief ? 1 : 0, 'system')
          all.push(record as StreamRecord)
        } else if ('nth' in each) {
          const own = all.filter((record) => record.serviceSid === each.service && isThere(record))
          const chosen = own[each.nth % own.length]
          if (chosen === undefined) continue
          const changed = each.do === 'remove' ? undefined : await registry.setTtl(chosen, 1000)
          if (each.do === 'remove') await registry.remove(chosen)
          all = [...all.filter(({ sid }) => sid !== chosen.sid), ...(changed ? [changed] : [])]
        } else if ('modulus' in each) {
          const accepts = ({ sid }: StreamRecord) => Number.parseInt(sid.slice(-4), 16) % each.modulus === 0
          asked = { service: each.service, accepts }
          await page(`${URL_OF_LIST}?PageSize=${each.size}&Page=0`)
        } else {
          const url = neighbours[each.do as 'next' | 'previous']
          // With another size too: a page before the third stream then is not full of older ones.
          if (url !== null) await page(url.replace(/PageSize=\d/, `PageSize=${each.size}`))
        }
        for (const sid of SERVICES) {
          const own = all.filter(({ serviceSid }) => serviceSid === sid)
          // A stream whose time is over may count until its timer fires.
          expect(registry.count(sid)).toBeLessThanOrEqual(own.length)
          expect(registry.count(sid)).toBeGreaterThanOrEqual(own.filter(isThere).length)
        }
      }
      await registry.close()
    }),
    { numRuns: 300 },
  )
})
