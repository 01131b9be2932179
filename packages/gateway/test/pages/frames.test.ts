import { expect, test } from 'vitest'
import { eventually } from '../../../../test/support/live.ts'
import { ScriptedTransport } from '../../../../test/support/scripted-transport.ts'
import {
  frameOf,
  prefix,
  prefixesOf,
  prefixOf,
  removalOf,
  sidOf,
  TRACE,
  topicOf,
  tracedFrameOf,
} from '../support/frames.ts'
import { serve } from '../support/scene.ts'

const MINE = prefixOf('mallory')
const HEARD = prefix('b')
const BOBS = prefixOf('bob')
const TOPIC = topicOf('positions')
const FORM = /does not have the form that the library writes/
const DEEP = `{"data":{"a":${'['.repeat(200)}${']'.repeat(200)}},"sid":"${sidOf(MINE)}","t":1}`

/** A frame of one message whose data is written by hand. */
function written(data: string): string {
  return `{"data":${data},"sid":"${sidOf(MINE)}","t":1}`
}

/** A service with an upstream from which a publisher was heard, and two pages of which one listens. */
async function stage() {
  const upstream = new ScriptedTransport()
  const scene = await serve({
    upstream,
    session: (token) => ({
      may: (action, name) => token === 'bob' || (action !== 'remove' && name !== 'secret' && name !== 'news'),
    }),
  })
  await scene.hub.ready()
  scene.hub.stream('service').publish({ n: 1 })
  await scene.hub.flush()
  const [own = ''] = /TZ[0-9a-f]{12}/.exec(upstream.sent[0]?.text ?? '') ?? []
  const bob = await scene.welcomed('bob')
  for (const name of ['positions', 'news', 'secret', 'service']) await bob.join(topicOf(name))
  upstream.host.receive(TOPIC as never, frameOf(HEARD))
  bob.topical('frame', TOPIC, frameOf(BOBS))
  await bob.barrier()
  await bob.next('frame')
  upstream.sent.length = 0
  bob.received.length = 0
  const mallory = await scene.welcomed('mallory')
  return { scene, upstream, bob, mallory, own: own.slice(2) }
}

type Stage = Awaited<ReturnType<typeof stage>>

const REFUSED: [what: string, topic: string, frame: (stage: Stage) => string | Uint8Array, why: RegExp][] = [
  ['the prefix of another page', TOPIC, () => frameOf(BOBS, 2), /a prefix of this page/],
  ['a prefix that was heard from upstream', TOPIC, () => frameOf(HEARD, 2), /a prefix of this page/],
  ["the service's own prefix", TOPIC, ({ own }) => frameOf(own, 2), /a prefix of this page/],
  ['a message without a sid', TOPIC, () => '{"data":{"n":1}}', FORM],
  ['a second message without a sid', TOPIC, () => `[{"data":{"n":1}},${frameOf(MINE)}]`, FORM],
  ['messages of two senders', TOPIC, () => `[${frameOf(BOBS)},${frameOf(MINE)}]`, /two hubs/],
  [
    'a second sid that hides the first',
    TOPIC,
    () => `{"data":{"n":1},"sid":"${sidOf(MINE)}","t":1,"sid":"${sidOf(BOBS)}","t":1}`,
    FORM,
  ],
  [
    'a second sid that the first one hides',
    TOPIC,
    () => `{"data":{"n":1},"sid":"${sidOf(BOBS)}","sid":"${sidOf(MINE)}","t":1}`,
    FORM,
  ],
  ['data twice', TOPIC, () => `{"data":{"n":1},"data":{"n":2},"sid":"${sidOf(MINE)}","t":1}`, FORM],
  ['a key twice in the data', TOPIC, () => written('{"n":1,"n":2}'), FORM],
  ['a key twice, written in two ways', TOPIC, () => written('{"n":1,"\\u006e":2}'), FORM],
  ['a key twice deep in the data', TOPIC, () => written('{"a":[{"n":1,"m":1,"n":2}]}'), FORM],
  ['a key that is not known', TOPIC, () => `{"data":{},"from":"ann","sid":"${sidOf(MINE)}","t":1}`, FORM],
  ['a key that is not known in a removal', TOPIC, () => removalOf(MINE).replace('}', ',"u":1}'), FORM],
  ['keys in another order', TOPIC, () => `{"sid":"${sidOf(MINE)}","data":{},"t":1}`, FORM],
  ['keys of data in another order', TOPIC, () => written('{"b":1,"a":2}'), FORM],
  ['white space', TOPIC, () => written('{"n": 1}'), FORM],
  ['white space behind', TOPIC, () => `${frameOf(MINE)}\n`, FORM],
  ['a number with more digits than are read', TOPIC, () => written('{"n":9007199254740993}'), FORM],
  ['a number written otherwise', TOPIC, () => written('{"n":1.0}'), FORM],
  ['a text written otherwise', TOPIC, () => written('{"n":"\\u0061"}'), FORM],
  ['a list of one message', TOPIC, () => `[${frameOf(MINE)}]`, FORM],
  ['a message without an age', TOPIC, () => `{"data":{},"sid":"${sidOf(MINE)}"}`, FORM],
  ['an age with a fraction', TOPIC, () => frameOf(MINE).replace('"t":1', '"t":1.5'), FORM],
  ['a trace of another length', TOPIC, () => tracedFrameOf(MINE, 1, {}, `${TRACE}-0`), FORM],
  ['a trace in capitals', TOPIC, () => tracedFrameOf(MINE, 1, {}, TRACE.toUpperCase()), FORM],
  ['a trace of another version', TOPIC, () => tracedFrameOf(MINE, 1, {}, TRACE.replace('00', 'ff')), FORM],
  [
    'a trace without an id',
    TOPIC,
    () => tracedFrameOf(MINE, 1, {}, TRACE.replace(/4bf\w+/, '0'.repeat(32))),
    FORM,
  ],
  [
    'a trace without a parent',
    TOPIC,
    () => tracedFrameOf(MINE, 1, {}, TRACE.replace(/00f\w+/, '0'.repeat(16))),
    FORM,
  ],
  ['a trace with a quote', TOPIC, () => tracedFrameOf(MINE, 1, {}, TRACE.replace('-01', '"-1')), FORM],
  ['a trace that is no text', TOPIC, () => tracedFrameOf(MINE).replace(`"${TRACE}"`, '1'), FORM],
  [
    'a trace twice',
    TOPIC,
    () => tracedFrameOf(MINE).replace(`"tp":"${TRACE}"`, `"tp":"${TRACE}","tp":"${TRACE}"`),
    FORM,
  ],
  ['a trace before the data', TOPIC, () => `{"tp":"${TRACE}",${frameOf(MINE).slice(1)}`, FORM],
  ['a trace behind the sid', TOPIC, () => frameOf(MINE).replace(',"t":', `,"tp":"${TRACE}","t":`), FORM],
  ['a trace behind the age', TOPIC, () => frameOf(MINE).replace(/\}$/, `,"tp":"${TRACE}"}`), FORM],
  ['a trace in a removal', TOPIC, () => removalOf(MINE).replace(',"sid"', `,"tp":"${TRACE}","sid"`), FORM],
  [
    'a large message that is traced',
    TOPIC,
    () => tracedFrameOf(MINE, 1, { text: 'x'.repeat(4_086) }),
    /than 4096 b/,
  ],
  ['a removal without a grant', TOPIC, () => removalOf(MINE), /no permission to remove/],
  [
    'a removal in the form of a message',
    TOPIC,
    () => `{"data":{},"removed":true,"sid":"${sidOf(MINE)}","t":1}`,
    FORM,
  ],
  ['a stream without a grant', topicOf('secret'), () => frameOf(MINE), /no permission to publish/],
  ['the topic is none of this hub', topicOf('positions', 'other'), () => frameOf(MINE), /none of this hub/],
  ['a topic with a wildcard', topicOf('+'), () => frameOf(MINE), /none of this hub/],
  ['a topic written otherwise', topicOf('%70ositions'), () => frameOf(MINE), /none of this hub/],
  ['a topic that goes up', topicOf('../../x'), () => frameOf(MINE), /none of this hub/],
  ['no topic', '', () => frameOf(MINE), /none of this hub/],
  ['no JSON', TOPIC, () => '{"data":{', FORM],
  ['nothing', TOPIC, () => '', FORM],
  ['no UTF-8', TOPIC, () => new Uint8Array([0xff, 0xfe]), FORM],
  ['data that is too deep', TOPIC, () => DEEP, FORM],
  ['data that is no object', TOPIC, () => `{"data":7,"sid":"${sidOf(MINE)}","t":1}`, FORM],
  ['a malformed message among others', TOPIC, () => `[{"data":{"n":1},"sid":7},${frameOf(MINE)}]`, FORM],
  ['a number beyond those that are exact', TOPIC, () => frameOf(MINE, 2 ** 54), FORM],
  ['too many messages', TOPIC, () => `[${Array(65).fill(frameOf(MINE)).join()}]`, FORM],
  ['a large message', TOPIC, () => frameOf(MINE, 1, { text: 'x'.repeat(5_000) }), /more than 4096 bytes/],
  [
    'a message of a few bytes more',
    TOPIC,
    () => frameOf(MINE, 1, { text: 'x'.repeat(4_086) }),
    /than 4096 b/,
  ],
  [
    'a large message beside a small one',
    TOPIC,
    () => `[${frameOf(MINE)},${frameOf(MINE, 2, { text: 'x'.repeat(5_000) })}]`,
    /more than 4096 bytes/,
  ],
  ['a large object of nothing', TOPIC, () => `{${' '.repeat(5_000)}`, /more than 4096 bytes/],
  ['a large list of nothing', TOPIC, () => `[${'[],'.repeat(100_000)}[]]`, /more than 4096 bytes/],
  ['a large frame', TOPIC, () => new Uint8Array(320 * 1024 + 1).fill(0x7b), /more than 327680 bytes/],
]

test.each(REFUSED)('refuses %s, and delivers it to no subscriber', async (_, topic, frame, why) => {
  const stood = await stage()
  const { scene, upstream, bob, mallory } = stood
  mallory.topical('frame', topic, frame(stood))
  await mallory.barrier()
  // Before the answer to the barrier: what was refused is never taken for confirmed.
  expect(mallory.received.map(({ kind }) => kind)).toEqual(['welcome', 'fault', 'barrier'])
  const [fault] = mallory.all('fault')
  expect(fault?.text).toMatch(why)
  expect(fault?.topic).toBe(topic)
  expect(scene.server.pages.counts).toMatchObject({ refused: 1, received: 1 })
  // What is right passes afterwards, and is all that anybody got.
  mallory.topical('frame', TOPIC, frameOf(MINE, 7))
  await mallory.barrier()
  await bob.next('frame')
  expect(bob.all('frame').map(({ text }) => text)).toEqual([frameOf(MINE, 7)])
  expect(upstream.sent).toEqual([{ topic: TOPIC, text: frameOf(MINE, 7) }])
})

test('takes the largest message, and any data that the library writes', async () => {
  const { mallory, upstream } = await stage()
  const frames = [
    frameOf(MINE, 1, { text: 'x'.repeat(4_085) }),
    frameOf(MINE, 2, { '': null, '"': -0.5, a: [1e21, 1e-7, true, {}], é: '\ud800 \n', '\u{10000}': '😀' }),
  ]
  for (const frame of frames) mallory.topical('frame', TOPIC, frame)
  await mallory.barrier()
  expect(upstream.sent.map(({ text }) => text)).toEqual(frames)
})

test('takes messages that are traced, the largest and lists of them too', async () => {
  const upstream = new ScriptedTransport()
  const { welcomed } = await serve({ upstream, burst: 100, maxMessagesPerSecond: 1_000 })
  const [bob, mallory] = [await welcomed('bob'), await welcomed('mallory')]
  await bob.join(TOPIC)
  const largest = (nth: number) =>
    tracedFrameOf(MINE, 2 ** 53 - 1 - nth, { text: 'x'.repeat(4_085) }).replace(
      /"t":\d+/,
      `"t":${10 ** 15 - 1}`,
    )
  const listOf = (length: number, frame: (nth: number) => string) =>
    `[${Array.from({ length }, (_, nth) => frame(nth))}]`
  const frames = [
    tracedFrameOf(MINE),
    largest(100),
    `[${tracedFrameOf(MINE, 2)},${frameOf(MINE, 3)},${tracedFrameOf(MINE, 4, { sid: 'TZ', t: 1, tp: TRACE })}]`,
    listOf(64, (nth) => tracedFrameOf(MINE, 5 + nth)),
    listOf(64, largest),
  ]
  for (const [nth, frame] of frames.entries()) mallory.topical('frame', topicOf(`traced-${nth}`), frame)
  mallory.topical('frame', TOPIC, tracedFrameOf(MINE, 100))
  await mallory.barrier()
  expect(mallory.all('fault')).toEqual([])
  expect(upstream.sent.map(({ text }) => text)).toEqual([...frames, tracedFrameOf(MINE, 100)])
  expect((await bob.next('frame')).text).toBe(tracedFrameOf(MINE, 100))
})

test('takes frames of several messages, and removals where they are granted', async () => {
  const { bob, mallory, upstream } = await stage()
  await mallory.join(TOPIC)
  const frame = `[${frameOf(BOBS, 2)},${frameOf(BOBS, 3)}]`
  bob.topical('frame', TOPIC, frame)
  bob.topical('frame', TOPIC, removalOf(BOBS, 4))
  await bob.barrier()
  await mallory.barrier()
  expect(mallory.all('frame').map(({ text }) => text)).toEqual([frame, removalOf(BOBS, 4)])
  expect(upstream.sent.map(({ text }) => text)).toEqual([frame, removalOf(BOBS, 4)])
  expect(bob.all('frame')).toEqual([])
})

test('asks for the grant at every frame and every join', async () => {
  let isGranted = true
  const { welcomed } = await serve({ session: () => ({ may: () => isGranted }) })
  const page = await welcomed('mallory')
  expect((await page.join(TOPIC)).kind).toBe('joined')
  page.topical('frame', TOPIC, frameOf(MINE))
  await page.barrier()
  expect(page.all('fault')).toEqual([])
  isGranted = false
  page.topical('frame', TOPIC, frameOf(MINE, 2))
  await page.barrier()
  expect((await page.next('fault')).text).toMatch(/no permission to publish/)
  expect(await page.join(topicOf('alarms'))).toMatchObject({
    kind: 'refused',
    text: 'no permission to listen',
  })
})

test.each([
  ['another hub', topicOf('positions', 'other')],
  ['no hub', 'positions'],
  ['a wildcard', topicOf('#')],
  ['nothing', ''],
])('refuses a join of %s', async (_, topic) => {
  const { upstream, mallory } = await stage()
  const joins = upstream.joins.length
  expect(await mallory.join(topic)).toMatchObject({ kind: 'refused', text: 'the topic is none of this hub' })
  expect(upstream.joins.length).toBe(joins)
})

test("limits a page's frames for each stream, with a second of tolerance", async () => {
  const { upstream, bob, mallory } = await stage()
  for (let n = 1; n <= 1_000; n++) mallory.topical('frame', TOPIC, frameOf(MINE, n))
  await mallory.barrier()
  // 30 at once, 30 of tolerance, and what the bucket leaks while they arrive.
  expect(upstream.sent.length).toBeGreaterThanOrEqual(60)
  expect(upstream.sent.length).toBeLessThan(1_000)
  expect(mallory.all('fault').map(({ topic }) => topic)).toEqual([TOPIC])
  await bob.barrier()
  expect(bob.all('frame').length).toBeLessThanOrEqual(upstream.sent.length)
})

test('limits the frames of a page over all its streams', async () => {
  const { upstream, mallory } = await stage()
  for (let n = 1; n <= 1_000; n++) mallory.topical('frame', topicOf(`stream-${n}`), frameOf(MINE, n))
  await mallory.barrier()
  expect(upstream.sent.length).toBeGreaterThanOrEqual(600)
  expect(upstream.sent.length).toBeLessThan(1_000)
  expect(mallory.all('fault').map(({ text }) => text)).toContain(
    'The server refused a frame: more than 300 messages a second.',
  )
})

test('takes a page under each of its four prefixes', async () => {
  const { upstream, mallory } = await stage()
  const frames = prefixesOf('mallory').map((mine) => frameOf(mine))
  for (const frame of frames) mallory.topical('frame', TOPIC, frame)
  await mallory.barrier()
  expect(frames).toHaveLength(4)
  expect(upstream.sent.map(({ text }) => text)).toEqual(frames)
  expect(mallory.all('fault')).toEqual([])
})

test('reports refused frames of many streams before the barrier, and buffers few', async () => {
  const { mallory } = await stage()
  for (let n = 0; n < 100; n++) mallory.topical('frame', topicOf(`stream-${n}`), '{')
  await eventually(() => mallory.all('fault').length).toBe(64)
  mallory.topical('frame', 'x'.repeat(60_000), '{')
  await mallory.barrier()
  const topics = Array.from({ length: 100 }, (_, n) => topicOf(`stream-${n}`))
  expect(mallory.all('fault').map(({ topic }) => topic)).toEqual([...topics, ''])
})

test('drops a flood from upstream undecoded, and counts each frame once', async () => {
  const { scene, upstream, bob } = await stage()
  const others = await Promise.all(['one', 'two'].map((name) => scene.welcomed(name)))
  for (const page of others) await page.join(TOPIC)
  for (let n = 2; n <= 1001; n++) upstream.host.receive(TOPIC as never, frameOf(HEARD, n))
  for (const page of [bob, ...others]) await page.barrier()
  const [most] = [bob, ...others].map((page) => page.all('frame').length)
  expect(most).toBeGreaterThanOrEqual(55)
  expect(most).toBeLessThan(1_000)
  expect(scene.server.pages.counts.dropped).toBe(1000 - Number(most))
  for (const page of others) expect(page.all('frame').length).toBe(most)
})

test('passes no frame from upstream to pages that holds nothing', async () => {
  const { scene, upstream, bob } = await stage()
  const garbage = ['', '{', '[]', '{"data":7}', '\u0000', new Uint8Array(400_000)]
  for (const frame of garbage) upstream.host.receive(TOPIC as never, frame)
  upstream.host.receive(TOPIC as never, '{"data":{"by":"hand"}}')
  await bob.barrier()
  expect(bob.all('frame').map(({ text }) => text)).toEqual(['{"data":{"by":"hand"}}'])
  expect(scene.server.pages.counts.dropped).toBe(garbage.length)
})

test('refuses a frame that is too large for the transport upstream', async () => {
  const upstream = new ScriptedTransport()
  upstream.capabilities = { ...upstream.capabilities, maxFrameBytes: (topic) => 5_000 - topic.length }
  const { welcomed } = await serve({ upstream })
  const page = await welcomed('ann')
  expect(JSON.parse((await page.next('welcome')).text)).toMatchObject({ maxFrameBytes: 5_000 - 2_953 })
  page.topical('frame', TOPIC, new Uint8Array(5_000 - TOPIC.length + 1))
  await page.barrier()
  expect((await page.next('fault')).text).toMatch(/too large for the transport upstream/)
  expect(upstream.sent).toEqual([])
})

test('ends a page whose frame upstream does not take, so that it is not confirmed', async () => {
  const upstream = new ScriptedTransport()
  const { welcomed } = await serve({ upstream })
  const page = await welcomed('mallory')
  const listener = await welcomed('bob')
  await listener.join(TOPIC)
  upstream.sending = 'offline'
  page.topical('frame', TOPIC, frameOf(MINE))
  expect(await page.closed).toMatchObject({ code: 4100 })
  await listener.barrier()
  expect(listener.all('frame')).toEqual([])
})

test('charges a frame by its size, refused or not', async () => {
  const { welcomed } = await serve({ maxMessagesPerSecond: 1 })
  const page = await welcomed('ann')
  for (let n = 0; n < 2; n++) {
    page.topical('frame', TOPIC, `[${'[],'.repeat(50_000)}[]]`)
    await page.barrier()
  }
  const faults = page.all('fault').map(({ text }) => text)
  expect(faults[0]).toMatch(FORM)
  expect(faults[1]).toMatch(/more than 1 messages a second/)
})

test('keeps the rate of a stream while the page sends to many others', async () => {
  const { welcomed, server } = await serve({ ratePerSecond: 0.001, burst: 1, maxMessagesPerSecond: 10_000 })
  const page = await welcomed('mallory')
  const publish = (name: string, sequence: number, frame = frameOf(MINE, sequence)) =>
    page.topical('frame', topicOf(name), frame)
  publish('first', 1)
  for (let n = 0; n < 300; n++) publish(`garbage-${n}`, n, '{')
  publish('first', 2)
  await page.barrier()
  expect(server.pages.counts.received).toBe(1)
  for (let n = 1; n < 1_100; n++) publish(`stream-${n}`, n + 2)
  publish('first', 5_000)
  await page.barrier()
  expect(server.pages.counts.received).toBe(1_024)
})
