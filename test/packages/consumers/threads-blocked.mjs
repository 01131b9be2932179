// Publishes more to a blocked worker than Deno keeps for it, and prints what became of that.
import { openHub } from 'rivulet'

const COUNT = 1_000
// Together more than a megabyte: a barrier waits longest for a worker that is so far behind.
const padding = 'x'.repeat(2_000)
const gate = new Int32Array(new SharedArrayBuffer(4))
const hub = await openHub('threads:blocked')
const worker = new Worker(new URL('./threads-blocked-worker.mjs', import.meta.url), { type: 'module' })
const told = () =>
  new Promise((resolve) => {
    worker.onmessage = ({ data }) => resolve(data)
  })
await told()
worker.postMessage(gate)
await told()
const stream = hub.stream('numbers', { limit: false })
const errors = []
stream.on('error', ({ code }) => errors.push(code))
for (let n = 1; n <= COUNT; n += 1) {
  stream.publish({ n, padding })
  // Until it is posted, without a turn of the event loop.
  for (let turn = 0; turn < 10; turn += 1) await undefined
}
const flushed = hub.flush()
Atomics.store(gate, 0, 1)
Atomics.notify(gate, 0)
await flushed
const { confirmed, unconfirmed } = stream.ledger()
worker.postMessage('count')
const { delivered, missed } = await told()
await hub.close()
worker.terminate()
console.log(JSON.stringify({ delivered, missed, confirmed, unconfirmed, errors }))
