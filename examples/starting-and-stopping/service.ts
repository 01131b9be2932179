// A service that starts while its broker is down, and stops without cutting off work.
import { setTimeout as sleep } from 'node:timers/promises'
import { openHub } from 'rivulet'

// Starting: this does not wait for the broker. The hub keeps trying to connect until it is closed.
const url = process.env.RIVULET_URL ?? 'nats://127.0.0.1:4222'
const hub = await openHub(url, { wait: false })
hub.on('status', (status) => console.log(`the hub is ${status}`))
hub.on('error', (error) => console.log(String(error)))

// Subscribers in this process get every message, with or without a broker.
const readings = hub.stream<{ celsius: number }>('readings')
const saving = saveAll()

// Stopping, first step: a signal ends the publishing. A second signal ends the process at once.
const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
for (let celsius = 20; !stop.signal.aborted; celsius = celsius === 25 ? 20 : celsius + 1) {
  readings.publish({ celsius })
  await sleep(100, undefined, { signal: stop.signal }).catch(() => {})
}

// Second step: `close` ends the streams, flushes published messages and disconnects. It takes about five seconds at
// most, whatever the broker does.
const { accepted, confirmed, unconfirmed, lost, iteratorDrops } = await hub.close()

// Third step: let the work end. Then nothing is open any more, and the process ends by itself; `process.exit` would
// cut off running work.
const saved = await saving
console.log(`published ${accepted}: confirmed ${confirmed}, unconfirmed ${unconfirmed}, lost ${lost.offline}`)
console.log(`saved ${saved}, dropped from the full buffer ${iteratorDrops}`)

/** Saves messages until the stream ends, slower than they arrive. The buffer bounds the time to stop. */
async function saveAll(): Promise<number> {
  let saved = 0
  for await (const _ of readings.iterate({ buffer: 10 })) {
    await sleep(150)
    saved += 1
  }
  return saved
}
