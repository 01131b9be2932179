import { expect, test } from 'vitest'
import { ApiClient, BASIC } from '../support/api-client.ts'
import { served } from '../support/served-gateway.ts'

const LISTENERS = 50
const MAX_AHEAD_BYTES = 65_536

/** Serves listeners that have taken only the opening, while messages of that size were published. */
async function servedToLate(times: number, bytes: number) {
  const { url, hub, gateway } = await served()
  hub.stream('a', { limit: false, maxBytes: 65_536 })
  const api = new ApiClient(url)
  await api.create({ UniqueName: 'a' })
  const headers = { accept: 'text/event-stream', ...BASIC }
  const readers = []
  for (let n = 0; n < LISTENERS; n++) {
    const { body } = await gateway.fetch(new Request(api.messagesOf('a'), { headers }))
    const reader = (body as ReadableStream<Uint8Array>).getReader()
    await reader.read()
    readers.push(reader)
  }
  for (let n = 0; n < times; n++) hub.stream('a').publish({ n, filling: 'x'.repeat(bytes) })
  await new Promise(setImmediate)
  return { hub, api, gateway, readers }
}

test('late listeners are handed a few waiting messages at a time, at most 64 KiB', async () => {
  const { gateway, readers } = await servedToLate(200, 4000)
  expect(gateway.counts).toMatchObject({ listeners: LISTENERS, sent: 0, dropped: 0 })
  for (const reader of readers) {
    const { value } = await reader.read()
    expect(value?.byteLength).toBeLessThanOrEqual(MAX_AHEAD_BYTES)
    expect(value?.byteLength).toBeGreaterThan(2 * 4000)
  }
  // What the readers have not asked for stays in the line, where it can give way.
  expect(gateway.counts.sent).toBeLessThanOrEqual((LISTENERS * MAX_AHEAD_BYTES) / 4000)
})

test('a long message is handed to all of its listeners without a copy', async () => {
  const { gateway, readers } = await servedToLate(3, 60_000)
  const buffers = new Set<ArrayBufferLike>()
  for (const reader of readers) {
    for (let n = 0; n < 3; n++) {
      const { value } = await reader.read()
      expect(new TextDecoder().decode(value)).toContain(`"n":${n},`)
      buffers.add((value as Uint8Array).buffer)
    }
  }
  expect(buffers.size).toBe(3)
  expect(gateway.counts.sent).toBe(3 * LISTENERS)
})

test('messages that wait at the removal are still sent, and the last event after them', async () => {
  const { hub, api, gateway, readers } = await servedToLate(300, 4000)
  expect(gateway.counts).toMatchObject({ listeners: LISTENERS, sent: 0, dropped: 44 * LISTENERS })
  await api.remove('a')
  const buffers = new Set<ArrayBufferLike>()
  for (const reader of readers) {
    let text = ''
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      text += new TextDecoder().decode(next.value)
      if (next.value.byteLength > 4000) buffers.add(next.value.buffer)
    }
    expect(text).toMatch(/^event: dropped\ndata: \{"count":44\}\n\n/)
    expect(text.match(/event: messagePublished/g)).toHaveLength(256)
    expect(text).toMatch(/event: removed\ndata: \{"reason":"removed"\}\n\n$/)
  }
  expect(buffers.size).toBe(256)
  expect(gateway.counts).toMatchObject({ listeners: 0, sent: 256 * LISTENERS, dropped: 44 * LISTENERS })
  expect(hub.ledger().subscribers).toBe(0)
})
