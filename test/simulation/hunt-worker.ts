import { hunt } from './hunt.ts'
import type { Batch, BatchResult } from './hunt-on-all-cores.ts'

// Runs batches of seeds that its parent sends, and sends back what came of each; `stop` ends the running one.
let running = new AbortController()
process.on('SIGINT', () => {}) // Ctrl-C reaches it too, and the parent knows what to do
process.on('disconnect', () => process.exit())
process.on('message', async (told: Batch | 'stop') => {
  if (told === 'stop') return running.abort()
  running = new AbortController()
  const found = await hunt(told.first, told.count, { signal: running.signal })
  process.send?.({ ...found, first: told.first, reached: [...found.reached] } satisfies BatchResult)
})
