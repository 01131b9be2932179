import { isMainThread, workerData } from 'node:worker_threads'
import { openHub } from 'rivulet'

/** Subscribes, and then leaves its hub open and idle, or closes it in good order. */
const [name, what] = isMainThread ? process.argv.slice(2) : [workerData.name, workerData.what]
const print = (line: string) => isMainThread && console.log(line)
const hub = await openHub(`threads:${name}`)
await hub.stream('a').subscribe(() => {}).ready
print('subscribed')
if (what === 'await') {
  hub.stream('a').publish({ n: 1 })
  await hub.flush()
  print('flushed')
  await hub.close()
  print('closed')
}
