// Run as a process of its own with `--expose-gc` and the URL of a broker: subscribes and unsubscribes 10 000 times,
// opens and closes 10 000 streams and 200 hubs, and prints what it holds in between. Goes on whenever it is told to.
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Hub, openHub } from 'rivulet'

const SIDE_BY_SIDE = 100
const WARM_UP = 20
const ROUNDS = 100
const CONNECTIONS = 200
const STREAMS = Array.from({ length: SIDE_BY_SIDE }, (_, index) => `stream/${index}`)

let firstHandles: readonly string[] | undefined

const [url = ''] = process.argv.slice(2)
const hub = await openHub({ transport: url, streamDefaults: { maxAgeMs: 100 } })
for (let round = 0; round < WARM_UP; round++) await subscribeAll()
await openStreams()
for (let round = 0; round < WARM_UP; round++) await connectOnce()
await report('baseline')

const subscriptions = STREAMS.map((name) => hub.stream(name).subscribe(() => {}))
const further = Array.from({ length: 9 }, () => hub.stream(STREAMS[0] as string).subscribe(() => {}))
await Promise.all([...subscriptions, ...further].map(({ ready }) => ready))
await report('subscribed')
for (const subscription of [...subscriptions, ...further]) subscription.unsubscribe()

for (let round = 0; round < ROUNDS; round++) await subscribeAll(round % 2 === 0)
await report('rounds')

await openStreams()
await report('streams')

for (let round = 0; round < CONNECTIONS; round++) await connectOnce()
await report('connections')

console.log(`ledger ${JSON.stringify(await hub.close())}`)
process.stdin.destroy()

/** One round on each stream; some wait for the broker, some are gone in the same tick. */
async function subscribeAll(waits = true): Promise<void> {
  const subscriptions = STREAMS.map((name) => hub.stream(name).subscribe(() => {}))
  if (waits) await Promise.all(subscriptions.map(({ ready }) => ready))
  for (const subscription of subscriptions) subscription.unsubscribe()
  if (!waits) await undefined
}

/** Opens ten thousand streams, publishes on each, and closes them. */
async function openStreams(): Promise<void> {
  for (let batch = 0; batch < ROUNDS; batch++) {
    const names = STREAMS.map((name) => `${name}/${batch}`)
    const subscriptions = names.map((name) => hub.stream(name).subscribe(() => {}))
    await Promise.all(subscriptions.map(({ ready }) => ready))
    for (const name of names) {
      hub.stream(name).publish({ batch })
      hub.stream(name).close()
    }
  }
}

async function connectOnce(): Promise<void> {
  const other: Hub = await openHub(url)
  const stream = other.stream('connections')
  await stream.subscribe(() => {}).ready
  stream.publish({ n: 1 })
  await other.close()
}

async function report(what: string): Promise<void> {
  await hub.flush()
  const handles = await settledHandles()
  globalThis.gc?.()
  await new Promise(setImmediate)
  globalThis.gc?.()
  const { heapUsed } = process.memoryUsage()
  const listeners = process
    .eventNames()
    .map((name) => process.listenerCount(name))
    .reduce((sum, count) => sum + count, 0)
  console.log(`${what} ${JSON.stringify({ handles, heapUsed, listeners })}`)
  await once(process.stdin, 'data')
}

/**
 * Returns what keeps the process alive once it is what it was at first, or after ten seconds: a socket that was destroyed
 * may stay for some turns, and a check of the connection that is under way has a timer. At first it has to stay the same.
 */
async function settledHandles(): Promise<string[]> {
  let handles: string[] = []
  let same = 0
  for (let looks = 0; looks < 500; looks++) {
    await sleep(20)
    const now = process
      .getActiveResourcesInfo()
      .filter((kind) => /TCP|TLS|Timeout/.test(kind))
      .sort()
    same = now.join() === handles.join() ? same + 1 : 0
    handles = now
    if (firstHandles === undefined ? same === 10 : now.join() === firstHandles.join()) break
  }
  firstHandles ??= handles
  return handles
}
