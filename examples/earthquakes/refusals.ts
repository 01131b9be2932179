// Refusals of the library with the default limits: 4096 bytes a message, 30 messages a second.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Hub, Stream } from 'rivulet'
import type { Quake } from './quakes.ts'
import { textTable } from './terminal.ts'

const BURST = 60

/** Publishes too large a message, and too many at once by three verbs; resolves to the outcome as text. */
export async function showRefusals(hub: Hub, quakes: readonly Quake[], signal: AbortSignal): Promise<string> {
  const oversized = hub.stream('oversized').tryPublish({ quakes: quakes.slice(0, 10) })
  const burst = quakes.slice(0, BURST)
  const rows = await Promise.all([
    rowOf(hub, 'tryPublish', (stream) => tryAll(stream, burst)),
    rowOf(hub, 'publishWhenReady', (stream) => waitForAll(stream, burst, signal)),
    rowOf(hub, 'publishLatest', (stream) => keepLatest(stream, burst, signal)),
  ])
  const head = ['', 'accepted', 'refused', 'conflated', 'took', '']
  return `What a refusal looks like (default limits: 4096 bytes a message, 30 a second, burst 30)

An oversized message:
  ${oversized.ok ? 'was accepted' : `${oversized.code}: ${oversized.error.message}`}

The same burst of ${BURST} quakes at once, by three verbs:
${textTable([head, ...rows], [1, 2, 3, 4])}
`
}

/** Refuses messages above the limit, and returns when there is capacity again. */
async function tryAll(stream: Stream<Quake>, burst: readonly Quake[]): Promise<string> {
  const refusals = burst.map((quake) => stream.tryPublish(quake)).filter((result) => !result.ok)
  const [first] = refusals
  return first === undefined ? 'nothing was refused' : `${first.code}, retry after ${first.retryAfterMs} ms`
}

/** Waits for capacity, first come, first served. */
async function waitForAll(
  stream: Stream<Quake>,
  burst: readonly Quake[],
  signal: AbortSignal,
): Promise<string> {
  await Promise.all(burst.map((quake) => stream.publishWhenReady(quake, { signal })))
  return 'all of them, in order, at the rate of the limit'
}

/** Keeps the newest quake of each network until there is capacity, and conflates the older ones. */
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

async function rowOf(hub: Hub, verb: string, publish: (stream: Stream<Quake>) => Promise<string>) {
  const stream = hub.stream<Quake>(`burst/${verb}`)
  const startMs = performance.now()
  const remark = await publish(stream)
  const took = `${Math.round(performance.now() - startMs)} ms`
  const { accepted, refused, conflated } = stream.ledger()
  return [verb, accepted, refused.rateLimited, conflated, took, remark]
}
