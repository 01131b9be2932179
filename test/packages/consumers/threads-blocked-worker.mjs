// The worker of `threads-blocked.mjs`: blocks until its gate opens, and tells what it got when asked.
import { openHub } from 'rivulet'

const hub = await openHub('threads:blocked')
const stream = hub.stream('numbers', { limit: false, maxAgeMs: false })
await stream.subscribe(() => {}).ready
globalThis.onmessage = async ({ data }) => {
  if (data === 'count') return postMessage(stream.ledger())
  postMessage('blocks')
  Atomics.wait(data, 0, 0)
}
postMessage('ready')
