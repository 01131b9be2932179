// Node 20 starts a thread with JavaScript only: this registers TypeScript first. A built program does not need it.
import { workerData } from 'node:worker_threads'
import { register } from 'tsx/esm/api'

register()
await import(workerData.program)
