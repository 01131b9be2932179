import { isMainThread, workerData } from 'node:worker_threads'
import { openHub } from 'rivulet'

/** Subscribes, and then either leaves its hub open with nothing to do, or ends it in good order. */
const [name, what] = isMainThread ? process.argv.slice(2) : [workerData.name, workerData.what]
const tell = (line: string) => isMainThread && console.log(line)
const hub = await openHub(`threads:${name}`)
await hub.stream('a').subscribe(() => {}).ready
tell('subscribed')
if (what === 'await') {
  hub.stream('a').publish({ n: 1 })
  await hub.flush()
  tell('flushed')
  await hub.close()
  tell('closed')
}
