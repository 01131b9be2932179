import { threads, transportFromUrls } from '@rivulet/threads'
import { openHub } from 'rivulet'
import { RecordingHost } from 'rivulet/testing'
import { expect, test } from 'vitest'
import { endless } from '../../../test/support/adapters/waits.ts'

const FORM = 'The threads option "name" is 1 to 64 characters of A-Z a-z 0-9 _ -, not'
const URL_FORM = 'The URL of a bus between threads is threads:name or threads:name?alone=true.'

test.each<[unknown, string]>([
  ...['', 'a/b', 'a b', 'ü', 'x'.repeat(65)].map((name): [unknown, string] => [name, FORM]),
  ...[{ name: 7 }, { name: '' }].map((options): [unknown, string] => [options, FORM]),
  [{ nam: 'fleet' }, 'There is no threads option "nam"; there are name, makeChannel, alone.'],
  [{ makeChannel: 'x' }, 'The threads option "makeChannel" is a function, not a string.'],
  [{ alone: 'yes' }, 'The threads option "alone" is true or false, not "yes".'],
  [7, 'The threads options are an object { name, makeChannel, alone }, not a number.'],
  [null, 'The threads options are an object { name, makeChannel, alone }, not null.'],
])('options %j are refused', (options, message) => {
  const refused = expect.objectContaining({
    code: 'INVALID_OPTIONS',
    message: expect.stringContaining(message),
  })
  expect(() => threads(options as string)).toThrow(refused)
})

test.each<[string[], string]>([
  [[], 'A bus between threads has one URL, threads:name, not 0.'],
  [['threads:a', 'threads:b'], 'A bus between threads has one URL, threads:name, not 2.'],
  [['threads:'], FORM],
  [['threads://a'], FORM],
  ...['threads:a?loss=1', 'threads:a?alone=yes', 'memory:a', 'a', 'x threads:a'].map(
    (url): [string[], string] => [[url], URL_FORM],
  ),
])('URLs %j are refused', (urls, message) => {
  const refused = expect.objectContaining({
    code: 'INVALID_OPTIONS',
    message: expect.stringContaining(message),
  })
  expect(() => transportFromUrls(urls)).toThrow(refused)
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
    await expect(threads().open(new RecordingHost(), endless)).rejects.toMatchObject({
      code: 'TRANSPORT_FAILED',
      message: 'This runtime has no BroadcastChannel; use a runtime that has it, or pass makeChannel.',
    })
  } finally {
    Object.assign(globalThis, { BroadcastChannel })
  }
})

test('a transport counts the others on its bus, unless it may be alone', async () => {
  const name = `test-${crypto.randomUUID()}`
  const [a, b] = [threads({ name }), threads(name)]
  const silent = [threads({ name, alone: true }), transportFromUrls([`threads:${name}?alone=true`])]
  expect(a.othersInProcess?.()).toBe(0)
  await a.open(new RecordingHost(), endless)
  expect(a.othersInProcess?.()).toBe(0)
  await b.open(new RecordingHost(), endless)
  await expect.poll(() => [a.othersInProcess?.(), b.othersInProcess?.()]).toEqual([1, 1])
  expect(silent.map(({ othersInProcess }) => othersInProcess)).toEqual([undefined, undefined])
  await Promise.all([a.close(endless), b.close(endless)])
})
