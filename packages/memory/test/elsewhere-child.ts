import assert from 'node:assert'
import { transportFromUrls } from '@rivulet/memory'
import type { Topic } from 'rivulet'
import { RecordingHost } from 'rivulet/testing'

const [topic, frame] = process.argv.slice(2) as [Topic, string]
const { signal } = new AbortController()
const host = new RecordingHost()
const sender = transportFromUrls(['memory:contract'])
const receiver = transportFromUrls(['memory:contract'])
await Promise.all([sender.open(host, signal), receiver.open(host, signal)])
await receiver.join(topic, signal)
sender.send(topic, frame)
await sender.flush(signal)
assert.deepStrictEqual(host.texts(), [frame], 'it works in its own process')
await Promise.all([sender.close(signal), receiver.close(signal)])
