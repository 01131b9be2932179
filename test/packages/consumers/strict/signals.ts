import { createHub, openHub } from 'rivulet'

// The AbortSignal of the DOM or of Node.
const { signal } = new AbortController()
createHub()
  .stream('signals')
  .subscribe(() => {}, { signal })
export const opened = openHub('memory:', { signal: AbortSignal.timeout(1000) })
