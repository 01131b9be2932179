import { workerData } from 'node:worker_threads'
import { threads } from '@rivulet/threads'
import { RecordingHost } from 'rivulet/testing'
import { endless } from '../../../test/support/adapters/waits.ts'

/** Sends one frame from this thread, with a transport of its own. */
const { name, topic, frame } = workerData
const transport = threads(name)
await transport.open(new RecordingHost(), endless)
transport.send(topic, frame)
await transport.close(endless)
