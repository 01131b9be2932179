import { setTimeout as sleep } from 'node:timers/promises'
import type { Hub, Ledger, Stream } from 'rivulet'
import type { Quake } from './quake.ts'
import { textTable } from './text-table.ts'

const BURST = 60

/** Shows what the library says no to, with the default limits: 4096 bytes, 30 messages a second. */
export async function showRefusals(
  hub: Hub,
  quakes: readonly Quake[],
  print: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  print('What a refusal looks like (default limits: 4096 bytes a message, 30 a second, burst 30)\n')
  print(`An oversized message:\n  ${oversizedError(hub, quakes)}\n`)
  const burst = quakes.slice(0, BURST)
  const rows = await Promise.all([
    timed(hub, 'tryPublish', (stream) => tryAll(stream, burst)),
    timed(hub, 'publishWhenReady', (stream) => waitForAll(stream, burst, signal)),
    timed(hub, 'publishLatest', (stream) => keepLatest(stream, burst, signal)),
  ])
  print(`The same burst of ${BURST} quakes at once, by three verbs:\n${tableOf(rows)}\n`)
}

function oversizedError(hub: Hub, quakes: readonly Quake[]): string {
  const result = hub.stream('oversized').tryPublish({ quakes: quakes.slice(0, 10) })
  return result.ok ? 'it was accepted' : `${result.code}: ${result.error.message}`
}

interface Row {
  readonly verb: string
  readonly ledger: Ledger
  readonly tookMs: number
  readonly remark: string
}

async function timed(
  hub: Hub,
  verb: string,
  publish: (stream: Stream<Quake>) => Promise<string>,
): Promise<Row> {
  const stream = hub.stream<Quake>(`burst/${verb}`)
  const startMs = performance.now()
  const remark = await publish(stream)
  return { verb, ledger: stream.ledger(), tookMs: performance.now() - startMs, remark }
}

async function tryAll(stream: Stream<Quake>, burst: readonly Quake[]): Promise<string> {
  const refusals = burst.map((quake) => stream.tryPublish(quake)).filter((result) => !result.ok)
  const [first] = refusals
  return first ? `${first.code}, retry after ${first.retryAfterMs} ms` : 'nothing was refused'
}

async function waitForAll(
  stream: Stream<Quake>,
  burst: readonly Quake[],
  signal: AbortSignal,
): Promise<string> {
  await Promise.all(burst.map((quake) => stream.publishWhenReady(quake, { signal })))
  return 'all of them, in order, at the rate of the limit'
}

async function keepLatest(
  stream: Stream<Quake>,
  burst: readonly Quake[],
  signal: AbortSignal,
): Promise<string> {
  for (const quake of burst) stream.publishLatest(quake, { key: quake.properties.net })
  const kept = stream.ledger().waiting
  while (stream.ledger().waiting > 0) await sleep(stream.budget().retryAfterMs, undefined, { signal })
  return `the newest of each of ${kept} networks came later`
}

function tableOf(rows: readonly Row[]): string {
  const cells = rows.map(({ verb, ledger, tookMs, remark }) => {
    const { accepted, refused, conflated } = ledger
    return [verb, accepted, refused.rateLimited, conflated, `${Math.round(tookMs)} ms`, remark]
  })
  return textTable([['', 'accepted', 'refused', 'conflated', 'took', ''], ...cells], [1, 2, 3, 4])
}
