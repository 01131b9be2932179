import type { AddressInfo } from 'node:net'
import { createHub } from 'rivulet'
import { lines } from './lines.ts'
import { startLineServer } from './server.ts'

const server = await startLineServer(0, 'hush')
const { port } = server.address() as AddressInfo
const options = { servers: `127.0.0.1:${port}`, password: () => 'hush' }
const here = createHub({ transport: lines(options) })
const there = createHub({ transport: lines(options) })

const messages = there.stream<{ n: number }>('numbers').iterate()
await messages.ready
await here.ready()
here.stream('numbers').publish({ n: 1 })
for await (const { data, isLocal } of messages) {
  console.log(`received ${data.n}, local: ${isLocal}`)
  break
}
await Promise.all([here.close(), there.close()])
server.close()
