import { workerData } from 'node:worker_threads'
import { threads } from '@rivulet/threads'
import { endless, host } from './host.ts'

/** Sends one frame from this thread, with a transport of its own. */
const { name, topic, frame } = workerData
const transport = threads(name)
await transport.open(host(), endless)
transport.send(topic, frame)
await transport.close(endless)
