import { threads } from '@rivulet/threads'
import { RivuletError } from 'rivulet'
import { RecordingHost } from 'rivulet/testing'
import { expect, onTestFinished, test } from 'vitest'
import { topicOf } from '../../../src/message/topic.ts'
import { endless } from '../../../test/support/adapters/waits.ts'
import { closeLawfully, eventually, openLive } from '../../../test/support/live.ts'

const TOPIC = topicOf('default', 'a')

function freshName(): string {
  return `test-${crypto.randomUUID()}`
}

function foreignChannel(name: string): BroadcastChannel {
  const channel = new BroadcastChannel(`rivulet/threads/${name}`)
  onTestFinished(() => channel.close())
  return channel
}

const ID = 'a'.repeat(32)
const NO_FRAMES: readonly unknown[][] = [
  ...[[TOPIC], [TOPIC, 1], [TOPIC, null], [TOPIC, {}], [TOPIC, 'x', 'y'], [TOPIC, 'x', TOPIC, 1], [1, 'x']],
  ...[
    [{ toString: 1 }, 'x'],
    [new Uint8Array(4), 'x'],
    [TOPIC, new ArrayBuffer(4)],
    [TOPIC, new Uint16Array(4)],
  ],
  ...[
    [TOPIC, new DataView(new ArrayBuffer(4))],
    [TOPIC, new Uint8Array(new SharedArrayBuffer(4))],
  ],
]
const NO_COUNTS: readonly unknown[] = [undefined, Number.NaN, Infinity, 1.5, '1', null]
const HOSTILE_POSTS: readonly unknown[] = [
  ...[undefined, null, 0, '', 'text', true, 1n, Number.NaN, new Date(0), /x/, new Error('x'), new Map(), []],
  ...NO_FRAMES.map((frames) => [ID, 1, ...frames]),
  ...NO_COUNTS.map((nth) => [ID, nth, TOPIC, 'x']),
  ...[
    [TOPIC, 'x'],
    ['x', 1, TOPIC, 'x'],
    [1, ID, TOPIC, 'x'],
  ],
  ...[{}, { ask: 1, position: 1, posts: 1 }, { ask: 'x', position: 1, posts: 1 }],
  ...NO_COUNTS.flatMap((no) => [
    { ask: ID, position: no, posts: 1 },
    { ask: ID, position: 1, posts: no },
    { answer: ID, to: ID, position: 1, posts: 1, missed: no },
  ]),
  ...[{ answer: 1, to: 2, position: 3, posts: 4, missed: 5 }, { end: {} }, { end: '' }],
]

test('posts that are no frames reach no host, and stop nothing', async () => {
  const name = freshName()
  const [sender, receiver] = [threads(name), threads(name)]
  const host = new RecordingHost()
  await sender.open(new RecordingHost(), endless)
  await receiver.open(host, endless)
  await receiver.join(TOPIC, endless)
  await receiver.watch('default', endless)
  for (const post of HOSTILE_POSTS) foreignChannel(name).postMessage(post)
  sender.send(TOPIC, 'a frame')
  await sender.flush(endless)
  await eventually(() => host.frames.length).toBe(1)
  expect(host).toMatchObject({ frames: [{ topic: TOPIC, text: 'a frame' }], errors: [], downs: [] })
  await Promise.all([sender.close(endless), receiver.close(endless)])
})

test('a flood of invented posts costs a hub no message, and its ledger is lawful', async () => {
  const name = freshName()
  const [here, there] = [await openLive(`threads:${name}`), await openLive(`threads:${name}`)]
  const heard: unknown[] = []
  await there.stream('a').subscribe(({ data }) => heard.push(data)).ready
  const channel = foreignChannel(name)
  for (let nth = 0; nth < 2_000; nth += 1) {
    channel.postMessage(HOSTILE_POSTS[nth % HOSTILE_POSTS.length])
    channel.postMessage([ID, nth, topicOf('default', `invented ${nth}`), '{"data":{}}'])
  }
  for (const frame of ['', '{', '[]', '{"data":1}']) channel.postMessage([ID, 1, TOPIC, frame])
  here.stream('a').publish({ truck: 7 })
  await here.flush()
  await eventually(() => heard).toEqual([{ truck: 7 }])
  const [, ledger] = await closeLawfully(here, there)
  expect(ledger).toMatchObject({ received: 5, delivered: 1, dropped: { malformed: 4 } })
})

test('a post that cannot be read is reported as an error, and the hub continues', async () => {
  const listeners = new Map<string, (event: object) => void>()
  const name = freshName()
  const transport = threads({
    name,
    makeChannel(channelName) {
      const channel = new BroadcastChannel(channelName)
      return {
        addEventListener: (type, listener) => {
          if (type !== 'close') channel.addEventListener(type, listener as (event: Event) => void)
          if (!listeners.has(type)) listeners.set(type, listener)
        },
        postMessage: (value) => channel.postMessage(value),
        close: () => channel.close(),
      }
    },
  })
  const host = new RecordingHost()
  await transport.open(host, endless)
  listeners.get('messageerror')?.(new Event('messageerror'))
  expect(host.errors).toMatchObject([{ cause: { code: 'TRANSPORT_FAILED' } }])
  expect(host.errors.every(({ cause }) => RivuletError.is(cause))).toBe(true)
  await transport.flush(endless)
  await transport.close(endless)
  listeners.get('messageerror')?.(new Event('messageerror'))
  expect(host.errors).toHaveLength(1)
})

test('2 000 streams each reach their own subscribers, and no other', async () => {
  const url = `threads:${freshName()}`
  const [here, there] = [await openLive(url), await openLive(url)]
  const names = Array.from({ length: 2_000 }, (_, index) => `stream ${index}`)
  const heard = names.map((): unknown[] => [])
  await Promise.all(
    names.map((name, index) => there.stream(name).subscribe(({ data }) => heard[index]?.push(data)).ready),
  )
  for (const [index, name] of names.entries()) here.stream(name).publish({ index })
  await here.flush()
  await eventually(() => there.ledger().received).toBe(names.length)
  expect(heard).toEqual(names.map((_, index) => [{ index }]))
  const [sent, got] = await closeLawfully(here, there)
  expect(sent).toMatchObject({ accepted: 2_000, confirmed: 2_000 })
  expect(got).toMatchObject({ delivered: 2_000, missed: 0 })
})

test('two hubs in one thread receive from each other, and not from themselves', async () => {
  const url = `threads:${freshName()}`
  const [here, there] = [await openLive(url), await openLive(url)]
  const heard: unknown[] = []
  for (const hub of [here, there]) {
    await hub.stream('a').subscribe(({ data, isLocal }) => heard.push([hub === here, isLocal, data.n])).ready
  }
  here.stream('a').publish({ n: 1 })
  there.stream('a').publish({ n: 2 })
  await Promise.all([here.flush(), there.flush()])
  await eventually(() => heard.length).toBe(4)
  expect(heard).toEqual([[true, true, 1], [false, true, 2], ...expectRemote(heard)])
  const ledgers = await closeLawfully(here, there)
  for (const ledger of ledgers) expect(ledger).toMatchObject({ delivered: 1, dropped: { echo: 0 } })
})

/** The remote messages may arrive in either order. */
function expectRemote(heard: readonly unknown[]): readonly unknown[] {
  const remote = [
    [false, false, 1],
    [true, false, 2],
  ]
  return JSON.stringify(heard[2]) === JSON.stringify(remote[0]) ? remote : remote.reverse()
}

test('a bus of another name receives nothing', async () => {
  const [here, there] = [await openLive(`threads:${freshName()}`), await openLive(`threads:${freshName()}`)]
  await there.stream('a').subscribe(() => {}).ready
  here.stream('a').publish({ n: 1 })
  await here.flush()
  await there.flush()
  expect(there.ledger()).toMatchObject({ received: 0 })
})

test('a frame that is a part of a larger memory crosses without the rest', async () => {
  const name = freshName()
  const crossed: unknown[] = []
  foreignChannel(name).onmessage = ({ data }) =>
    Array.isArray(data) && crossed.push(data[3].buffer.byteLength)
  const transport = threads(name)
  await transport.open(new RecordingHost(), endless)
  transport.send(TOPIC, new Uint8Array(1_000_000).subarray(5, 10))
  await transport.flush(endless)
  await eventually(() => crossed).toEqual([5])
  await transport.close(endless)
})
