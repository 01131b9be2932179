import { parentPort, workerData } from 'node:worker_threads'
import { threads } from '@rivulet/threads'
import { endless, host } from './host.ts'

/** Counts the frames of one topic in memory that the test shares, until it is terminated. */
const { name, topic, read } = workerData
const count = new Int32Array(read)
const transport = threads(name)
const kept = { ...host(), receive: () => void Atomics.add(count, 0, 1) }
await transport.open(kept, endless)
await transport.join(topic, endless)
parentPort?.on('message', () => {})
parentPort?.postMessage('joined')
