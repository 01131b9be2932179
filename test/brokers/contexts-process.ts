// Run as a process of its own with `--expose-gc` and the URL of a transport: does all of its work inside of requests, each
// with a store of its own, and prints in which of them the library called back, and which stores are still there at
// the end. Ends when it is told to, after the broker was stopped if there is one.
import { AsyncLocalStorage } from 'node:async_hooks'
import { channel, tracingChannel } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { openHub } from 'rivulet'
import { WebSocket } from 'ws'
import { namesOfKept, type RequestStore } from '../support/kept-stores.ts'

const requests = new AsyncLocalStorage<RequestStore>()
/** By what called back: the names of the requests in which it did. */
const seen: Record<string, string[]> = {}
const stores: WeakRef<RequestStore>[] = []

// Node 20 has none of its own.
globalThis.WebSocket ??= WebSocket as unknown as typeof globalThis.WebSocket

const [url = ''] = process.argv.slice(2)
const LIMIT = { limit: { ratePerSecond: 20, burst: 1 } } as const
tracingChannel('rivulet.publish').start.subscribe(noting('publish'))
tracingChannel('rivulet.process').start.subscribe(noting('process'))
channel('rivulet:dropped').subscribe(noting('rivulet:dropped'))
channel('rivulet:status').subscribe(noting('rivulet:status'))

const peer = await openHub(url)
peer.on('error', () => {})
const hub = await inRequest('open', () => openHub(url))
await inRequest('listen', listen)
await inRequest('local', async () => void hub.stream('local').publish({ n: 1 }))
await inRequest('at once', async () => void hub.stream('at once', { batch: false }).publish({ n: 1 }))
await inRequest('flush', () => hub.flush())
await inRequest('expire', expire)
await inRequest('leave', leave)
await waitInLine()
await hear()
console.log(`up ${JSON.stringify(seen)}`)
console.log(`stores ${JSON.stringify(await namesOfKept(stores))}`)
await once(process.stdin, 'data')
await down()
console.log(`down ${JSON.stringify(seen)}`)
console.log(`stores at the end ${JSON.stringify(await namesOfKept(stores))}`)
await Promise.all([inRequest('close', () => hub.close()), peer.close()])
console.log(`closed ${JSON.stringify(seen)}`)
process.exit(0)

/** Works in a request that is over when this resolves. */
async function inRequest<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
  const store = { name }
  stores.push(new WeakRef(store))
  return requests.run(store, work)
}

function note(what: string): void {
  const name = requests.getStore()?.name ?? 'outside'
  const names = seen[what] ?? []
  seen[what] = names.includes(name) ? names : [...names, name]
}

function noting(what: string): () => void {
  return () => note(what)
}

async function listen(): Promise<void> {
  hub.on('status', noting('status')).on('error', noting('error'))
  const remote = hub.stream('remote', { maxBytes: 100 })
  remote.on('dropped', noting('dropped')).on('messagePublished', noting('messagePublished'))
  const iterator = remote.iterate({ overflow: 'latest', key: noting('key') })
  await remote.subscribe(noting('subscriber')).ready
  await iterator.ready
  await iterator.return()
  remote.iterate({ overflow: 'latest', key: noting('key') })
  await hub
    .stream('removed')
    .on('removed', noting('removed'))
    .subscribe(() => {}).ready
  await hub.stream('local').subscribe(noting('local')).ready
  await hub.stream('line', LIMIT).subscribe(noting('line')).ready
  // Not over every transport.
  await hub.tap(noting('tap')).ready.catch(() => {})
}

async function expire(): Promise<void> {
  const stream = hub.stream('expiring')
  stream.on('removed', noting('expired'))
  stream.setTtl(1)
}

async function leave(): Promise<void> {
  const subscription = hub.stream('left').subscribe(() => {})
  await subscription.ready
  subscription.unsubscribe()
}

/** Each of the messages waits for the room that the timer gives, which the first of them has set. */
async function waitInLine(): Promise<void> {
  const line = hub.stream('line', LIMIT)
  const publish = (name: string) =>
    inRequest(name, async () => {
      await line.publishWhenReady({ name })
      note(`after ${name}`)
    })
  const kept = (name: string, key: string) =>
    inRequest(name, async () => void line.publishLatest({ name }, { key }))
  await Promise.all([
    publish('line 1'),
    publish('line 2'),
    publish('line 3'),
    kept('old', 'a'),
    kept('new', 'a'),
  ])
  while (line.ledger().waiting > 0) await sleep(10)
}

/** Takes a message, one that is too large, and a removal, all of another process. */
async function hear(): Promise<void> {
  await publishHeard('remote', { n: 1 }, 'subscriber')
  await publishHeard('remote', { text: 'x'.repeat(200) }, 'dropped')
  peer.stream('removed').publish({ n: 1 })
  peer.stream('removed').remove()
  await until(() => seen.removed !== undefined && seen.expired !== undefined)
}

async function publishHeard(name: string, data: object, what: string): Promise<void> {
  peer.stream(name).publish(data as Record<string, string | number>)
  await until(() => seen[what] !== undefined)
}

/** Waits for the end of the connection, with messages and joins that are lost by it. */
async function down(): Promise<void> {
  if (url.startsWith('threads:')) return
  // Nobody subscribes to it, so that nothing is called but for the loss.
  const stream = hub.stream('lost')
  stream.on('lost', noting('lost'))
  await until(() => hub.status === 'down')
  await inRequest('lose', async () => {
    stream.publish({ n: 2 })
    hub.stream('while away').subscribe(() => {})
  })
  await until(() => seen.lost !== undefined)
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(10)
}
