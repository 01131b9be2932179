import { fork } from 'node:child_process'
import { join } from 'node:path'
import { MessageChannel, Worker } from 'node:worker_threads'
import { runEnd } from './run-end.mjs'

const PATIENCE_MS = 60_000

/**
 * Opens a publisher and a receiver of one client, each in its own process. Backends within one process have both in
 * it: between threads each in its own thread, on the memory bus both in this one.
 */
export async function openEnds({ backend, client, url, topics, template }) {
  const start = { memory: startHere, threads: startThread }[backend] ?? startProcess
  const [receiver, publisher] = [start(), start()]
  const order = { backend, client, url, topics, template }
  await receiver.ask('open', { ...order, role: 'receiver' })
  await publisher.ask('open', { ...order, role: 'publisher' })
  return {
    run: (details) => run(receiver, publisher, details),
    async close() {
      for (const end of [publisher, receiver]) {
        await end.ask('close')
        end.stop()
      }
    },
  }
}

async function run(receiver, publisher, details) {
  const finished = finishOf(receiver, publisher)
  await receiver.ask('expect', details)
  const [{ startUs }, { atUs, outOfOrder, p50, p99 }] = await Promise.all([
    publisher.ask('send', details),
    finished,
  ])
  if (outOfOrder > 0)
    throw new Error(`${outOfOrder} of ${details.messages} messages came out of order or twice.`)
  return { seconds: (atUs - startUs) / 1e6, p50, p99 }
}

function finishOf(receiver, publisher) {
  return new Promise((resolve, reject) => {
    let count = 0
    const timer = setTimeout(() => reject(new Error(`Only about ${count} messages arrived.`)), PATIENCE_MS)
    receiver.listen((message) => {
      if (message.progress !== undefined) {
        count = message.progress
        publisher.notify('acknowledge', { count })
      }
      if (message.finished === undefined) return
      clearTimeout(timer)
      resolve(message.finished)
    })
  })
}

function startProcess() {
  const child = fork(join(import.meta.dirname, 'end-process.mjs'))
  const end = endOf(
    (message) => child.send(message),
    () => child.disconnect(),
  )
  child.on('message', end.handle)
  child.on('exit', () => end.fail(new Error('The process of one end is gone.')))
  return end
}

function startThread() {
  const worker = new Worker(join(import.meta.dirname, 'end-process.mjs'))
  const end = endOf(
    (message) => worker.postMessage(message),
    () => worker.terminate(),
  )
  worker.on('message', end.handle)
  worker.on('error', end.fail)
  worker.on('exit', () => end.fail(new Error('The thread of one end is gone.')))
  return end
}

function startHere() {
  const { port1, port2 } = new MessageChannel()
  runEnd(
    (handle) => port2.on('message', handle),
    (message) => port2.postMessage(message),
  )
  const end = endOf(
    (message) => port1.postMessage(message),
    () => port1.close(),
  )
  port1.on('message', end.handle)
  return end
}

/** Sends orders, with or without an answer, and handles unrequested messages. */
function endOf(post, stop) {
  const waiting = new Map()
  let nextId = 0
  let listener = () => {}
  return {
    stop,
    ask: (order, details) =>
      new Promise((resolve, reject) => {
        waiting.set(++nextId, { resolve, reject })
        post({ id: nextId, order, ...details })
      }),
    notify: (order, details) => post({ id: 0, order, ...details }),
    listen(listen) {
      listener = listen
    },
    handle({ id, result, error, ...unasked }) {
      if (id === undefined) return listener(unasked)
      const { resolve, reject } = waiting.get(id) ?? {}
      waiting.delete(id)
      if (error !== undefined) reject?.(new Error(error))
      else resolve?.(result)
    },
    fail(error) {
      for (const { reject } of waiting.values()) reject(error)
    },
  }
}
