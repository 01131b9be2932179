import { threads, transportFromUrls } from '@rivulet/threads'
import { openHub } from 'rivulet'
import { expect, test } from 'vitest'
import { endless, host } from './host.ts'

const INVALID = expect.objectContaining({ code: 'INVALID_OPTIONS' })

test.each([
  ...['', 'a/b', 'a b', 'ü', 'x'.repeat(65), { name: 7 }, { name: '' }, { nam: 'fleet' }],
  ...[{ makeChannel: 'x' }, 7, null],
])('options %j are refused', (options) => {
  expect(() => threads(options as string)).toThrow(INVALID)
})

test.each([
  [[]],
  [['threads:a', 'threads:b']],
  ...['threads:', 'threads://a', 'threads:a?loss=1', 'memory:a', 'a'].map((url) => [[url]]),
])('URLs %j are refused', (urls) => {
  expect(() => transportFromUrls(urls)).toThrow(INVALID)
})

test('a URL, a name and options name the same bus, and none names the default', async () => {
  const name = `test-${crypto.randomUUID()}`
  const transports = [transportFromUrls([`threads:${name}`]), threads(name), threads({ name })]
  for (const transport of transports) expect(transport).toMatchObject({ name: 'threads' })
  expect(() => threads()).not.toThrow()
})

test('a hub takes its name from the URL', async () => {
  const hub = await openHub(`threads:test-${crypto.randomUUID()}?name=fleet`)
  expect([hub.name, hub.status]).toEqual(['fleet', 'up'])
  await hub.close()
})

test('a runtime without channels refuses for good', async () => {
  const { BroadcastChannel } = globalThis
  try {
    Reflect.deleteProperty(globalThis, 'BroadcastChannel')
    await expect(threads().open(host(), endless)).rejects.toMatchObject({ code: 'TRANSPORT_FAILED' })
  } finally {
    Object.assign(globalThis, { BroadcastChannel })
  }
})
