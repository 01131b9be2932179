import { parentPort, workerData } from 'node:worker_threads'
import { threads } from '@rivulet/threads'
import { RecordingHost } from 'rivulet/testing'
import { endless } from '../../../test/support/adapters/waits.ts'

/** Counts the frames of one topic in memory that the test shares, until it is terminated. */
const { name, topic, read } = workerData
const count = new Int32Array(read)
const transport = threads(name)
const host = new RecordingHost()
host.onReceive = () => void Atomics.add(count, 0, 1)
await transport.open(host, endless)
await transport.join(topic, endless)
parentPort?.on('message', () => {})
parentPort?.postMessage('joined')
