import type { Stream, StreamOptions } from 'rivulet'
import * as v from 'valibot'
import { both, dataOf, listen, outcomeOf, type Pair, until } from './pair.ts'

const FREE: StreamOptions = { limit: false }

/** What is too large or no JSON is refused before anybody sees it; what just fits arrives. */
export async function sizes(pair: Pair) {
  const { west, heard } = await both(pair, 'sizes')
  const cycle: Record<string, unknown> = {}
  cycle.self = cycle
  const tries: object[] = [
    { s: 'x'.repeat(4088) },
    { s: 'é'.repeat(2044) },
    { s: 'é'.repeat(2045) },
    [1],
    { n: 1n },
    cycle,
  ]
  const outcomes = tries.map((data) => outcomeOf(west.tryPublish(data as Record<string, unknown>)))
  await until(() => heard.east.length === 2)
  return { outcomes, bytes: heard.east.map(({ data }) => Buffer.byteLength(JSON.stringify(data))) }
}

/** The limit is the stream's: it refuses its publisher at the burst, and a receiver of a smaller burst drops the rest. */
export async function rate({ west, east }: Pair) {
  const receiver = east.stream('rate', { limit: { ratePerSecond: 0.01, burst: 6 } })
  const told = codesOf(receiver)
  const heard = await listen(receiver)
  const publisher = west.stream('rate', { limit: { ratePerSecond: 0.01, burst: 8 } })
  const accepted = Array.from({ length: 10 }, (_, n) => publisher.tryPublish({ n }).ok)
  await until(() => receiver.ledger().received === 8)
  const { refused } = publisher.ledger()
  return {
    accepted,
    heard: dataOf(heard),
    refused: refused.rateLimited,
    dropped: receiver.ledger().dropped.rateLimited,
    told,
  }
}

/** Only the newest of what found no room goes out. */
export async function latest({ west, east }: Pair) {
  const heard = await listen(east.stream('latest', FREE))
  const publisher = west.stream('latest', { limit: { ratePerSecond: 2, burst: 1 } })
  for (let n = 1; n <= 4; n++) publisher.publishLatest({ n })
  await until(() => heard.length === 2)
  return { heard: dataOf(heard), conflated: publisher.ledger().conflated }
}

/** Who waits for room goes out in the order of asking. */
export async function line({ west, east }: Pair) {
  const heard = await listen(east.stream('line', FREE))
  const publisher = west.stream('line', { limit: { ratePerSecond: 50, burst: 1 } })
  await Promise.all([1, 2, 3, 4].map((n) => publisher.publishWhenReady({ n })))
  await until(() => heard.length === 4)
  return dataOf(heard)
}

/** The schema of each side runs there: subscribers get its output, and what it refuses is dropped. */
export async function schemas({ west, east }: Pair) {
  const toDate = v.pipe(
    v.string(),
    v.isoTimestamp(),
    v.transform((text) => new Date(text)),
  )
  const schema = v.object({ at: toDate })
  const publisher = west.stream('schemas', { schema })
  const heardHere: unknown[] = []
  publisher.subscribe(({ data }) => heardHere.push(data.at.getTime()))
  const strict = east.stream('schemas', {
    schema: v.object({ at: v.pipe(toDate, v.minValue(new Date(1000))) }),
  })
  const told = codesOf(strict)
  const heardThere: unknown[] = []
  await strict.subscribe(({ data }) => heardThere.push(data.at.getTime())).ready
  const outcomes = ['1970-01-01T00:00:00Z', '1970-01-01T00:00:02Z', 'soon'].map((at) =>
    outcomeOf(publisher.tryPublish({ at })),
  )
  await until(() => heardThere.length === 1)
  return { outcomes, heardHere, heardThere, dropped: strict.ledger().dropped.schema, told }
}

/** Notes the codes of the errors that a stream tells of. */
function codesOf(stream: Pick<Stream, 'on'>): string[] {
  const codes: string[] = []
  stream.on('error', ({ code }) => codes.push(code))
  return codes
}
