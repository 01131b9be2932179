import { createHub } from './bundle.mjs'
import { liveBytes } from './heap.mjs'

// Issue 2: this many streams, opened, subscribed to, published to and closed, leave nothing behind. Run with
// `node --expose-gc bench/heap-check.mjs`; prints the figures, and fails when more than a byte a stream is left.
const STREAMS = 100_000
const LEFT_BYTES_ALLOWED = STREAMS
// Origins are remembered for `maxAgeMs` after a stream is closed; the clock is moved beyond.
const BEYOND_MAX_AGE_MS = 60_000

let nowMs = 0
const hub = createHub({ nowMs: () => nowMs })
let received = 0

await openPublishClose(20_000)
const before = await liveBytes()
received = 0
await openPublishClose(STREAMS)
const after = await liveBytes()

const left = after - before
const isRight = received === STREAMS && left <= LEFT_BYTES_ALLOWED
console.log(JSON.stringify({ streams: STREAMS, received, before, after, left, isRight }))
process.exitCode = isRight ? 0 : 1

async function openPublishClose(count) {
  const streams = Array.from({ length: count }, (_, index) => hub.stream(`stream-${index}`))
  for (const stream of streams) {
    stream.subscribe(() => {
      received++
    })
  }
  for (const [index, stream] of streams.entries()) stream.publish({ index })
  for (const stream of streams) stream.close()
  nowMs += BEYOND_MAX_AGE_MS
  const last = hub.stream('last')
  last.publish({})
  last.close()
}
