import { HIGH_LIMIT, maxBytesFor } from '../limit.mjs'
import { jsonBytes } from '../messages.mjs'
import { countingReaders, keepingReaders } from '../readers.mjs'

const CHECKED_SUBSCRIBERS = 100

/**
 * Makes a contender that publishes to a number of subscribers. Before the timing, subscribers record and check the
 * messages; during the timing each subscriber counts.
 * @param {import('./rival.mjs').Rival} rival
 * @returns {import('../measure.mjs').Contender}
 */
export function fanOutContender(rival, subscribers, messages) {
  return {
    name: rival.name,
    group: rival.group,
    async open() {
      await checkContent(rival, Math.min(subscribers, CHECKED_SUBSCRIBERS), messages)
      const readers = countingReaders(subscribers)
      const opened = await openWith(rival, readers.listeners, messages)
      return rival.isAsync
        ? runLater(rival, opened, readers, messages)
        : runNow(rival, opened, readers, messages)
    },
  }
}

async function checkContent(rival, subscribers, messages) {
  const readers = keepingReaders(subscribers, rival.read ?? ((message) => message))
  const { publish, close } = await openWith(rival, readers.listeners, messages)
  for (const message of messages) await publish(message)
  readers.check(rival.name, messages)
  await close()
}

async function openWith({ open, subscribe, publish }, listeners, messages) {
  const hub = open({ limit: HIGH_LIMIT, maxBytes: maxBytesFor(jsonBytes(messages[0])) })
  const stream = hub.stream('bench')
  for (const listener of listeners) await subscribe(stream, listener)
  return { publish: (data) => publish(stream, data), close: () => hub.close() }
}

function runNow({ name }, { publish, close }, readers, messages) {
  const mask = messages.length - 1
  let published = 0
  return {
    run: () => publish(messages[published++ & mask]),
    check: () => readers.check(name, published),
    close,
  }
}

/** Publishes several times a call; otherwise the bench's own promise would cost more than the rival's. */
function runLater({ name }, { publish, close }, readers, messages) {
  const operations = Math.max(1, Math.min(100, Math.floor(1000 / readers.listeners.length)))
  const mask = messages.length - 1
  let published = 0
  return {
    ...{ isAsync: true, operations, close },
    async run() {
      for (let index = 0; index < operations; index++) await publish(messages[published++ & mask])
    },
    check: () => readers.check(name, published),
  }
}
