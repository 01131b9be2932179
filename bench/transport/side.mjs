import { runSide } from './run-side.mjs'

// The child process of one end; see `ends.mjs`.
runSide(
  (handle) => process.on('message', handle),
  (message) => process.send(message),
)
process.on('disconnect', () => process.exit(0))
