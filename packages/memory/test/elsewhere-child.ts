import assert from 'node:assert'
import { transportFromUrls } from '@rivulet/memory'
import type { Topic, TransportHost } from 'rivulet'

const [topic, frame] = process.argv.slice(2) as [Topic, string]
const { signal } = new AbortController()
const heard: string[] = []
const host: TransportHost = {
  hub: 'default',
  watched: () => {},
  receive: (_topic, bytes) => heard.push(new TextDecoder().decode(bytes as Uint8Array)),
  down: () => {},
  error: () => {},
  left: () => {},
}
const sender = transportFromUrls(['memory:contract'])
const receiver = transportFromUrls(['memory:contract'])
await Promise.all([sender.open(host, signal), receiver.open(host, signal)])
await receiver.join(topic, signal)
sender.send(topic, frame)
await sender.flush(signal)
assert.deepStrictEqual(heard, [frame], 'it works in its own process')
await Promise.all([sender.close(signal), receiver.close(signal)])
