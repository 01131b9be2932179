import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Collects garbage and tells how many bytes of the heap are in use. */
export function heapUsed(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed
}
