// Run as a process of its own, with the URL of a broker: publishes 25 messages a second for 10 seconds on one stream
// that it also reads, and prints when each message that it saw was admitted, by the clock of its own limiter.
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { openHub } from 'rivulet'
import { eventually } from './support/eventually.ts'

const PER_SECOND = 25
const COUNT = 250

const [url = '', name = ''] = process.argv.slice(2)
let readMs = 0
const nowMs = () => {
  readMs = performance.now()
  return readMs
}
const hub = await openHub({ transport: url, nowMs })
const stream = hub.stream('rate')
const told: string[] = []
stream.on('error', ({ code }) => told.push(code))
const seenMs: number[] = []
// A message is delivered in the turn in which the limiter, the last to read the clock, let it through.
await stream.subscribe(() => seenMs.push(readMs)).ready
console.log('ready')
await once(process.stdin, 'data')

const startMs = performance.now()
for (let n = 0; n < COUNT; n++) {
  await sleep(Math.max(0, startMs + (n * 1000) / PER_SECOND - performance.now()))
  stream.tryPublish({ name, n })
}
await hub.flush()
console.log(`published ${stream.ledger().accepted}`)
// The broker has everybody's messages now; it may still be handing them over.
const expected = Number((await once(process.stdin, 'data'))[0])
const fromOthers = () => stream.ledger().received - stream.ledger().dropped.echo
await eventually('the messages of the others are here', fromOthers, (count) => count >= expected)

const ledger = await hub.close()
console.log(`result ${JSON.stringify({ seenMs, told, ledger })}`)
process.stdin.destroy()
