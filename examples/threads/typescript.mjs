// Node 20 starts a thread with JavaScript only: this teaches it TypeScript first. A built program needs none of it.
import { workerData } from 'node:worker_threads'
import { register } from 'tsx/esm/api'

register()
await import(workerData.program)
