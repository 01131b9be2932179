import { parentPort } from 'node:worker_threads'
import { runEnd } from './run-end.mjs'

// The child process, or the thread, of one end; see `ends.mjs`.
if (parentPort === null) {
  runEnd(
    (handle) => process.on('message', handle),
    (message) => process.send(message),
  )
  process.on('disconnect', () => process.exit(0))
} else {
  runEnd(
    (handle) => parentPort.on('message', handle),
    (message) => parentPort.postMessage(message),
  )
}
