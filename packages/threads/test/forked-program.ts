import cluster from 'node:cluster'
import { openHub } from 'rivulet'

/** Opens a hub and prints its error: in a worker of a cluster, or in a process that `fork` made. */
const [url = '', how = ''] = process.argv.slice(2)
if (how === 'cluster' && cluster.isPrimary) cluster.fork()
else {
  process.on('message', () => {}) // holds the process while its parent is there
  const hub = await openHub(url)
  hub.on('error', async ({ code }) => {
    console.log(`error ${code}`)
    await hub.close()
    process.disconnect()
  })
}
