// The publishing service: measures ten times a second, and publishes each reading.
import { setTimeout as sleep } from 'node:timers/promises'
import { openHub } from 'rivulet'
import type { Reading } from './reading.ts'

const hub = await openHub(process.env.RIVULET_URL ?? 'nats://127.0.0.1:4222')
hub.on('error', (error) => console.log(String(error)))
const readings = hub.stream<Reading>('readings')
const stop = new AbortController()
process.once('SIGINT', () => stop.abort())

for (let celsius = 20; !stop.signal.aborted; celsius = nextAfter(celsius)) {
  // Now or never: a reading that is published while the broker is away is lost, and counted.
  readings.publish({ room: 'kitchen', celsius })
  await sleep(100, undefined, { signal: stop.signal }).catch(() => {})
}

const { accepted, confirmed, lost } = await hub.close()
console.log(`published ${accepted}, confirmed ${confirmed}, lost while the broker was away ${lost.offline}`)

function nextAfter(celsius: number): number {
  return celsius >= 24 ? 20 : celsius + 0.5
}
