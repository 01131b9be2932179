import { maxBytesFor } from '../limit.mjs'
import { timedCase } from '../measure.mjs'
import { jsonBytes } from '../messages.mjs'
import { countingReaders, keepingReaders } from '../readers.mjs'
import { backendOf, CLIENTS } from './clients.mjs'

// The number of publishes in one turn of the event loop; their arrival through the broker is awaited.
const BURST = 64
const PATIENCE_MS = 10_000

let topics = 0

/** Makes a case: publish through a broker to N subscribers at the other end, both ends in this process. */
export function remoteFanOutCase({ name, parameters, messages, url }) {
  const backend = backendOf(url)
  return timedCase({
    name: `${name}, through ${backend}`,
    parameters: { ...parameters, backend },
    unit: 'a message',
    contenders: CLIENTS[backend].map((client) => contender(client, url, parameters.subscribers, messages)),
  })
}

function contender(client, url, subscribers, messages) {
  return {
    name: client.name,
    group: client.group,
    async open() {
      const checked = keepingReaders(subscribers, (data) => data)
      const connect = () => client.connect(url, maxBytesFor(jsonBytes(messages[0])))
      const first = await link(client, connect, checked.listeners)
      await first.send(messages)
      checked.check(client.name, messages)
      await first.close()
      return timed(client, connect, subscribers, messages)
    },
  }
}

async function timed(client, connect, subscribers, messages) {
  const readers = countingReaders(subscribers)
  const { send, close } = await link(client, connect, readers.listeners)
  const burst = Array.from({ length: BURST }, (_, index) => messages[index % messages.length])
  let published = 0
  return {
    ...{ isAsync: true, operations: BURST, close },
    async run() {
      published += BURST
      await send(burst)
    },
    check: () => readers.check(client.name, published),
  }
}

/** Connects two ends; one subscription at the far end calls all listeners, as clients without a fan-out would. */
async function link(client, connect, listeners) {
  const topic = `bench-${process.pid}-${topics++}`
  const [near, far] = [await connect(), await connect()]
  let waitingFor = 0
  let arrived
  if (client.group === 'rivulet') for (const listener of listeners) far.subscribe(topic, listener)
  await far.subscribe(topic, (data) => {
    if (client.group !== 'rivulet') for (const listener of listeners) listener(data)
    if (--waitingFor === 0) arrived()
  })
  const publish = near.publisher(topic)
  return {
    send(burst) {
      waitingFor = burst.length
      const done = new Promise((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`${client.name}: ${waitingFor} messages did not arrive.`)),
          PATIENCE_MS,
        )
        arrived = () => {
          clearTimeout(timer)
          resolve()
        }
      })
      for (const message of burst) publish(message)
      return done
    },
    close: () => Promise.all([near.close(), far.close()]),
  }
}
