import { openHub, RivuletError } from 'rivulet'
import { expect, test } from 'vitest'
import { Playback, type ReplayOptions, replay, transportFromUrls } from '../src/index.ts'
import { recordingFile } from './support/recording-file.ts'

const file = 'recording.ndjson'
const refusal = (message: RegExp | string) =>
  expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringMatching(message) })

test.each<[unknown, string]>([
  [undefined, 'an object { speed'],
  ['recording.ndjson', 'an object { speed'],
  [{}, 'needs the path'],
  [{ file: '' }, 'replay option "file" is the path'],
  [{ file: 5 }, 'replay option "file" is the path'],
  [{ file, speed: 0 }, 'replay option "speed" is a number from 0.001 to 1000'],
  ...['fast', '5', 1000.1, 0.0009].map((speed): [unknown, string] => [{ file, speed }, '"speed"']),
  [{ file, loop: 1 }, 'replay option "loop" is true or false'],
  ...[{ a: 1 }, { a: 'b', c: 1 }, null].map((rename): [unknown, string] => [{ file, rename }, '"rename"']),
  [{ file, from: -1 }, 'replay option "from" is a number of milliseconds from 0, or a date'],
  ...[new Date('noon'), Infinity, '5', null].map((to): [unknown, string] => [{ file, to }, '"to"']),
  [{ file, from: 2, to: 1 }, 'replay option "to" is not before "from"'],
  [{ file, from: new Date(2), to: new Date(1) }, 'replay option "to" is not before "from"'],
  [{ file, end: 'stop' }, "replay option \"end\" is 'stay' or 'remove'"],
  [{ file, ended: true }, 'replay option "ended" is a function'],
  [{ file, toString: 1 }, 'no replay option "toString"'],
  [{ file, sped: 2 }, 'no replay option "sped"; there are speed, loop'],
])('an option that is wrong is refused: %j', (options, message) => {
  expect(() => replay(options as ReplayOptions)).toThrow(refusal(message))
})

test.each([
  { speed: 0.001 },
  { speed: 1000 },
  { speed: 'max' },
  { end: 'stay' },
  { end: 'remove' },
  { from: 0, to: 0 },
  { from: new Date(1), to: new Date(1) },
  { from: 5, to: new Date(1) },
  { from: new Date(1), to: 5 },
  { to: 0 },
  { from: 5 },
  { speed: undefined, loop: undefined, rename: undefined, from: undefined, ended: undefined },
])('an option may be %j', (options) => {
  expect(() => replay({ file, ...options } as ReplayOptions)).not.toThrow()
})

test.each([
  [
    'replay:a.ndjson?sped=2',
    'no "sped" in the URL of a replay; there are speed, loop, from, to, skipBad, end, rename.$',
  ],
  ['replay:a.ndjson?speed=', '"speed"'],
  ['replay:a.ndjson?speed=2&speed=3', '"speed" twice'],
  ['replay:a.ndjson?loop=yes', '"loop"'],
  ['replay:a.ndjson?rename=a', 'rename=before=after'],
  ['replay:a.ndjson?from=noon', '"from"'],
  ['replay:a.ndjson?from=5ms', '"from"'],
  ['replay:a.ndjson?from=day5', '"from"'],
  ['replay:a.ndjson?speed=fast', '"speed"'],
  ['replay:a.ndjson?from=2026-02-31', '"from"'],
  ['replay:a.ndjson?to=2026-13-01', '"to"'],
  ['replay:a.ndjson?to=2026-12-31T25:00:00Z', '"to"'],
  ['replay:?speed=2', '"file"'],
  ['replay:a%ndjson', 'percent-encoded'],
])('a URL that is wrong is refused: %s', async (url, message) => {
  expect(() => transportFromUrls([url])).toThrow(refusal(message))
  await expect(openHub(url)).rejects.toEqual(refusal(message))
})

test('a replay has one URL', () => {
  expect(() => transportFromUrls(['replay:a?speed=2.5'])).not.toThrow()
  expect(() => transportFromUrls(['replay:a', 'replay:b'])).toThrow(refusal('one URL'))
  expect(() => transportFromUrls([])).toThrow(refusal('"file"'))
})

test('a playback has no options of a transport, and a text read once can not loop', async () => {
  expect(() => new Playback(file, { file } as never)).toThrow(refusal('no replay option "file"'))
  const { Readable } = await import('node:stream')
  expect(() => new Playback(Readable.from(['']), { loop: true })).toThrow(refusal('read once'))
})

test.each(['gone.ndjson', '/', recordingless()])(
  'a file that can not be read is reported at once: %s',
  async (path) => {
    const error = await openHub(`replay:${path}`).catch((reason) => reason)
    expect(RivuletError.is(error) && error.code).toBe('TRANSPORT_FAILED')
    expect(error.message).toContain(`The recording ${path} can't be read`)
    expect(error.cause).toMatchObject({ code: 'INVALID_OPTIONS' })
  },
)

function recordingless(): string {
  return 'no/such/folder/recording.ndjson'
}

test('a path may have any character, percent-encoded in a URL', async () => {
  const path = recordingFile([['a', { n: 1 }]], 'of 1 % = ?.ndjson')
  const hub = await openHub(`replay:${encodeURIComponent(path)}?name=fleet`)
  expect(hub.name).toBe('fleet')
  const { value } = await hub.stream('a').iterate().next()
  expect(value?.data).toEqual({ n: 1 })
  await hub.close()
})
