import { maxBytesFor } from '../limit.mjs'
import { percentile } from '../median.mjs'
import { jsonBytes } from '../messages.mjs'
import { CLIENTS } from './clients.mjs'

const CHUNK = 256
const WINDOW_REPORTS = 8
const STAMP_BYTES = 32

/**
 * Runs one end by orders: `open` connects (and subscribes, for a receiver), `expect` prepares a receiver for a run,
 * `send` runs a publisher, `acknowledge` widens its window, `close` ends.
 */
export function runEnd(onMessage, reply) {
  let end
  async function obey(order, details) {
    if (order !== 'open') return end[order](details)
    end = details.role === 'receiver' ? await openReceiver(details, reply) : await openPublisher(details)
  }
  onMessage(({ id, order, ...details }) => {
    obey(order, details).then(
      (result) => reply({ id, result }),
      (error) => reply({ id, error: error.stack }),
    )
  })
}

/** The number of a message and its time are longer than in the template. */
function connect({ backend, client, url, template }) {
  return CLIENTS[backend][client].connect(url, maxBytesFor(jsonBytes(template) + STAMP_BYTES))
}

async function openReceiver({ topics, ...order }, reply) {
  const connection = await connect(order)
  let run
  for (const [index, topic] of topics.entries()) {
    await connection.subscribe(topic, (data) => run?.take(index, data))
  }
  return {
    expect(details) {
      run = receiverRun(details, topics.length, reply)
    },
    close: () => connection.close(),
  }
}

/** Counts arrivals, checks the order on each topic, and reports progress and the end. */
function receiverRun({ messages, window, isLatencyWanted }, topics, reply) {
  const last = new Int32Array(topics).fill(-1)
  const latencies = isLatencyWanted ? [] : undefined
  const reportEvery = Math.ceil(window / WINDOW_REPORTS)
  let count = 0
  let outOfOrder = 0
  return {
    take(topic, data) {
      if (data.x <= last[topic]) outOfOrder++
      last[topic] = data.x
      latencies?.push(nowUs() - data.t)
      count++
      if (count % reportEvery === 0) reply({ progress: count })
      if (count === messages) reply({ finished: { atUs: nowUs(), outOfOrder, ...percentilesOf(latencies) } })
    },
  }
}

function percentilesOf(latencies) {
  return latencies && { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) }
}

async function openPublisher({ topics, template, ...order }) {
  const connection = await connect({ template, ...order })
  const publishers = topics.map((topic) => connection.publisher(topic))
  const flow = { acknowledged: 0 }
  return {
    send(details) {
      const { streams, perSecond } = details
      const publish = (index) => publishers[index % streams]({ ...template, x: index, t: nowUs() })
      return perSecond === undefined ? sendFlatOut(details, publish, flow) : sendPaced(details, publish)
    },
    acknowledge({ count }) {
      flow.acknowledged = count
    },
    close: () => connection.close(),
  }
}

/** Sends at full speed, with at most a window of messages in flight. */
async function sendFlatOut({ messages, window }, publish, flow) {
  flow.acknowledged = 0
  const startUs = nowUs()
  for (let sent = 0; sent < messages; ) {
    const until = Math.min(messages, sent + CHUNK, flow.acknowledged + window)
    while (sent < until) publish(sent++)
    await new Promise(setImmediate)
  }
  return { startUs }
}

/** Sends each message when it is due, even if timers are late. */
async function sendPaced({ messages, perSecond }, publish) {
  const startUs = nowUs()
  for (let sent = 0; sent < messages; ) {
    const due = Math.min(messages, Math.floor(((nowUs() - startUs) * perSecond) / 1e6))
    while (sent < due) publish(sent++)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  return { startUs }
}

/** Returns the time of a clock shared by all processes of the machine, in microseconds. */
function nowUs() {
  return Number(process.hrtime.bigint() / 1000n)
}
