// Publishes, with the bare client and in a process of its own, what stdin asks for: one JSON `[subject, frame]`
// a line. Ends once the server has all of it.
import { createInterface } from 'node:readline'
import { connect } from '@nats-io/transport-node'

const [servers] = process.argv.slice(2)
const client = await connect({ servers })
for await (const line of createInterface({ input: process.stdin })) {
  const [subject, frame] = JSON.parse(line)
  client.publish(subject, frame)
}
await client.flush()
await client.close()
