import { parentPort } from 'node:worker_threads'
import { runSide } from './run-side.mjs'

// The child process, or the thread, of one end; see `ends.mjs`.
if (parentPort === null) {
  runSide(
    (handle) => process.on('message', handle),
    (message) => process.send(message),
  )
  process.on('disconnect', () => process.exit(0))
} else {
  runSide(
    (handle) => parentPort.on('message', handle),
    (message) => parentPort.postMessage(message),
  )
}
