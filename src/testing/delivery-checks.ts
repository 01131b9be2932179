import assert from 'node:assert'
import type { Topic } from 'rivulet'
import { isSameBytes } from './bytes.ts'
import type { Check } from './check.ts'
import { hostileFrames, hostileNames } from './hostile-input.ts'
import type { Scene } from './scene.ts'

const FRAMES_EACH = 100

/** Checks of delivery: the receivers of a frame, the number of copies, and the bytes. */
export const deliveryChecks: readonly Check[] = [
  { name: 'delivers each frame once to every other transport that joined', run: deliversOnce },
  { name: 'delivers nothing of another topic', run: keepsTopicsApart },
  { name: 'hands frames over byte for byte', run: keepsBytes },
  { name: 'leaves the bytes of the sender and of other receivers alone', run: sharesNoBytes },
  { name: 'sends from inside receive', run: answers },
  { name: 'goes on when receive throws', run: survivesThrow },
]

async function deliversOnce(scene: Scene): Promise<void> {
  const topic = scene.topic()
  const peers = [await scene.listen(topic), await scene.listen(topic), await scene.listen(topic)]
  const sent = peers.map((_, index) =>
    Array.from({ length: FRAMES_EACH }, (_, nth) => `${index} sent ${nth}`),
  )
  peers.forEach((peer, index) => {
    peer.send(topic, ...(sent[index] as string[]))
  })
  for (const [index, peer] of peers.entries()) {
    const isForeign = (text: string) => !text.startsWith(`${index} `)
    const expected = sent.flat().filter(isForeign)
    const received = () => peer.host.texts(topic).filter(isForeign)
    await peer.receives(topic, peer.transport.capabilities.echoes ? sent.flat().length : expected.length)
    for (const other of peers) if (other !== peer) await scene.settle(other, peer)
    assert.deepStrictEqual(received().sort(), expected.sort(), 'each frame of the others came once')
  }
}

async function keepsTopicsApart(scene: Scene): Promise<void> {
  const topics = hostileNames.map((name) => scene.topic(name))
  const evens = topics.filter((_, index) => index % 2 === 0)
  const odds = topics.filter((_, index) => index % 2 === 1)
  const a = await scene.open()
  const b = await scene.listen(...evens)
  const c = await scene.listen(...odds)
  for (const topic of topics) a.send(topic, topic)
  for (const topic of evens) await b.receives(topic, 1)
  for (const topic of odds) await c.receives(topic, 1)
  await scene.settle(a, b)
  await scene.settle(a, c)
  for (const topic of topics) {
    const [joined, other] = evens.includes(topic) ? [b, c] : [c, b]
    assert.deepStrictEqual(joined.host.texts(topic), [topic], `${topic} carries its own frame, once`)
    assert.deepStrictEqual(other.host.texts(topic), [], `${topic} reaches only who joined it`)
  }
}

async function keepsBytes(scene: Scene): Promise<void> {
  const topic = scene.topic()
  const a = await scene.open()
  const b = await scene.listen(topic)
  a.send(topic, ...hostileFrames)
  await b.receives(topic, hostileFrames.length)
  await scene.settle(a, b)
  const expected = hostileFrames.map((frame) => (typeof frame === 'string' ? encoder.encode(frame) : frame))
  const found = b.host.bytes(topic)
  assert.strictEqual(found.length, expected.length, 'each frame once')
  const ordered = byBytes(found)
  for (const [nth, frame] of byBytes(expected).entries()) {
    isSameBytes(`a frame of ${frame.length} bytes arrives as it was sent`, ordered[nth], frame)
  }
}

async function sharesNoBytes(scene: Scene): Promise<void> {
  const topic = scene.topic()
  const a = await scene.open()
  const b = await scene.listen(topic)
  const c = await scene.listen(topic)
  for (const { host } of [b, c]) host.onReceive = overwrite
  const memory = new Uint8Array(64).map((_, index) => index)
  const before = memory.slice()
  const view = memory.subarray(16, 48)
  const expected = view.slice()
  a.send(topic, view)
  await Promise.all([b.receives(topic, 1), c.receives(topic, 1)])
  await a.flush()
  isSameBytes("the sender's memory is unchanged", memory, before)
  for (const { host } of [b, c]) {
    isSameBytes('exactly the bytes of the view arrive', host.bytes(topic)[0], expected)
    assert.strictEqual(host.bytes(topic).length, 1, 'the frame comes once')
  }
}

function overwrite(_topic: Topic, frame: Uint8Array | string): void {
  if (typeof frame !== 'string') frame.fill(0xee)
}

async function answers(scene: Scene): Promise<void> {
  const [question, answer] = [scene.topic('question'), scene.topic('answer')]
  const a = await scene.listen(answer)
  const b = await scene.listen(question)
  b.host.onReceive = (topic) => {
    if (topic === question) b.send(answer, 'answer')
  }
  a.send(question, 'one', 'two')
  await a.receives(answer, 2)
  await scene.settle(b, a)
  assert.deepStrictEqual(a.host.texts(answer), ['answer', 'answer'], 'one answer to each frame')
}

async function survivesThrow(scene: Scene): Promise<void> {
  const topic = scene.topic()
  const a = await scene.open()
  const b = await scene.listen(topic)
  const thrown: unknown[] = [new Error('a receive that throws'), 'a string', undefined]
  b.host.onReceive = () => throwNext(thrown)
  for (let nth = 0; nth < 6; nth += 1) {
    a.send(topic, `frame ${nth}`)
    await b.receives(topic, nth + 1)
  }
  await scene.talk(a, b)
  assert.deepStrictEqual(thrown, [], 'receive threw three times')
  assert.strictEqual(b.host.downs.length, 0, 'the connection stays up')
}

function throwNext(thrown: unknown[]): void {
  if (thrown.length > 0) throw thrown.shift()
}

const encoder = new TextEncoder()

/** Orders frames by length, then by their bytes, since a transport need not keep their order. */
function byBytes(frames: readonly Uint8Array[]): Uint8Array[] {
  return [...frames].sort((one, other) => one.length - other.length || compare(one, other))
}

function compare(one: Uint8Array, other: Uint8Array): number {
  const index = one.findIndex((byte, at) => byte !== other[at])
  return index < 0 ? 0 : (one[index] as number) - (other[index] as number)
}
