import assert from 'node:assert'
import { topicOf } from '../message/topic.ts'
import type { Check } from './check.ts'
import type { Peer } from './peer.ts'
import type { Scene } from './scene.ts'
import { isRefused, settles } from './within.ts'

// At least as many as pass between a call of `watch` that asks no backend and its result.
const MICROTASKS = 12

/** Checks of the begin and the end of receiving a whole hub, if the transport claims that capability. */
export const watchChecks: readonly Check[] = [
  { name: 'watches a hub exactly when the capability watch says so', run: watchesAsClaimed },
  { name: 'passes watched frames to watched, and joined ones to receive, too', run: keepsJoinsApart },
  { name: 'watches until its signal aborts, and again', run: watchesUntilAborted },
  { name: 'ends a watch whose signal aborts some microtasks after the call', run: endsYoungWatch },
  { name: 'leaves nothing of a watch whose signal has aborted, or that is not open', run: refusesWatch },
]

async function watchesAsClaimed(scene: Scene): Promise<void> {
  const topics = [scene.topic('one'), scene.topic('two')]
  const [a, b] = [await scene.open(), await scene.open()]
  if (!b.transport.capabilities.watch) {
    await isRefused('watch, when the capability watch is false', b.watch())
    return await scene.settle(a, b)
  }
  await b.watch()
  const elsewhere = topicOf(`${b.host.hub}x`, 'one')
  a.send(elsewhere, 'of another hub')
  for (const topic of topics) a.send(topic, 'sent')
  await receives(b, ...topics.map((topic) => `${topic} sent`))
  await scene.settle(a, b)
  const others = watchedTexts(b).filter((text) => !text.includes('fence') && !text.endsWith(' sent'))
  assert.deepStrictEqual(others, [], 'only frames of the watched hub are received')
  assert.ok(
    topics.every((topic) => b.host.bytes(topic).length === 0),
    'what is not joined is not received',
  )
}

async function keepsJoinsApart(scene: Scene): Promise<void> {
  const [before, after] = [scene.topic('before'), scene.topic('after')]
  const a = await scene.open()
  const b = await scene.listen(before)
  if (!b.transport.capabilities.watch) return
  await b.watch()
  await b.join(after)
  for (const topic of [before, after]) a.send(topic, 'both')
  await b.receives(before, 1)
  await b.receives(after, 1)
  await receives(b, `${before} both`, `${after} both`)
  b.transport.leave(before)
  a.send(before, 'watched only')
  await receives(b, `${before} watched only`)
  await scene.settle(a, b)
  assert.deepStrictEqual(
    b.host.texts(before),
    ['both'],
    'a joined frame is received once, and none after leave',
  )
  assert.deepStrictEqual(b.host.texts(after), ['both'], 'a frame of a topic joined later is received once')
}

async function watchesUntilAborted(scene: Scene): Promise<void> {
  const topic = scene.topic()
  const a = await scene.open()
  const b = await scene.listen(topic)
  if (!b.transport.capabilities.watch) return
  const first = new AbortController()
  await b.watch(first.signal)
  a.send(topic, 'first')
  await receives(b, `${topic} first`)
  first.abort()
  const { length } = b.host.watchedFrames
  a.send(topic, 'unwatched')
  await b.receives(topic, 2)
  await scene.settle(a, b)
  assert.strictEqual(
    b.host.watchedFrames.length,
    length,
    'nothing is handed over after the signal has aborted',
  )
  await b.watch()
  a.send(topic, 'second')
  await receives(b, `${topic} second`)
  await scene.settle(a, b)
  assert.deepStrictEqual(b.host.texts(topic), ['first', 'unwatched', 'second'], 'the join stays throughout')
}

async function endsYoungWatch(scene: Scene): Promise<void> {
  const topic = scene.topic()
  const a = await scene.open()
  const b = await scene.listen(topic)
  if (!b.transport.capabilities.watch) return
  for (let microtasks = 0; microtasks < MICROTASKS; microtasks += 1) {
    const controller = new AbortController()
    const settled = settles(b.watch(controller.signal))
    for (let passed = 0; passed < microtasks; passed += 1) await undefined
    controller.abort()
    await settled
    a.send(topic, `after ${microtasks} microtasks`)
    await b.receives(topic, microtasks + 1)
  }
  await scene.settle(a, b)
  assert.deepStrictEqual(b.host.watchedFrames, [], 'nothing is handed over after the signal has aborted')
}

async function refusesWatch(scene: Scene): Promise<void> {
  const topic = scene.topic()
  const a = await scene.open()
  const b = await scene.listen(topic)
  await isRefused('watch, when its signal has aborted', b.watch(AbortSignal.abort()))
  await isRefused('watch, unless open', scene.make().watch())
  a.send(topic, 'not watched')
  await b.receives(topic, 1)
  await scene.settle(a, b)
  assert.deepStrictEqual(b.host.watchedFrames, [], 'nothing is watched')
}

/** Waits until these texts have arrived, and fails when one arrived twice. */
async function receives(peer: Peer, ...texts: string[]): Promise<void> {
  await peer.until(`${texts.length} watched frames`, () =>
    texts.every((text) => watchedTexts(peer).includes(text)),
  )
  for (const text of texts) {
    assert.strictEqual(watchedTexts(peer).filter((each) => each === text).length, 1, `${text} comes once`)
  }
}

/** The frames of the watched hub, each as its topic, a space, and the frame as text. */
function watchedTexts({ host }: Peer): string[] {
  return host.watchedFrames.map(({ topic, text }) => `${topic} ${text}`)
}
