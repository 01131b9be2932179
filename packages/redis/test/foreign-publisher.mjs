// Publishes, with the bare client and in a process of its own, what stdin asks for: one JSON `[channel, frame]` a
// line. Ends once the server has all of it.
import { createInterface } from 'node:readline'
import { createClient } from '@redis/client'

const [url] = process.argv.slice(2)
const client = await createClient({ url }).connect()
for await (const line of createInterface({ input: process.stdin })) {
  const [channel, frame] = JSON.parse(line)
  await client.publish(channel, frame)
}
await client.close()
