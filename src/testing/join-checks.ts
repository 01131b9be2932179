import assert from 'node:assert'
import type { Check } from './check.ts'
import { endless } from './peer.ts'
import type { Scene } from './scene.ts'
import { isRefused, within } from './within.ts'

const JOINS = 100
const BURST = 300

/** Checks of the begin and the end of receiving a topic. */
export const joinChecks: readonly Check[] = [
  { name: 'receives the frames that are sent right after a join resolves', run: receivesAtOnce },
  { name: 'receives nothing that was sent before the join', run: receivesNothingEarlier },
  { name: 'receives nothing after leave returns', run: receivesNothingLater },
  { name: 'receives nothing after a leave inside receive', run: leavesInsideReceive },
  { name: 'receives each frame once after leaving and joining again', run: rejoins },
  { name: 'keeps nothing of a join that its signal aborts', run: abortsJoin },
  { name: 'ends a join that is left before it is confirmed', run: leavesUnconfirmed },
  { name: 'rejects a join unless open', run: rejectsJoinUnlessOpen },
]

async function receivesAtOnce(scene: Scene): Promise<void> {
  const a = await scene.open()
  const b = await scene.open()
  const topics = Array.from({ length: JOINS }, (_, nth) => scene.topic(`joined ${nth}`))
  for (const topic of topics) {
    await b.join(topic)
    a.send(topic, 'first')
  }
  for (const topic of topics) await b.receives(topic, 1)
}

async function receivesNothingEarlier(scene: Scene): Promise<void> {
  const topic = scene.topic()
  const a = await scene.open()
  const b = await scene.open()
  for (let nth = 0; nth < 20; nth += 1) a.send(topic, `early ${nth}`)
  await a.flush()
  await b.join(topic)
  a.send(topic, 'after')
  await b.receives(topic, 1)
  await scene.settle(a, b)
  assert.deepStrictEqual(b.host.texts(topic), ['after'], 'only what was sent after the join')
}

async function receivesNothingLater(scene: Scene): Promise<void> {
  const topic = scene.topic()
  const a = await scene.open()
  const b = await scene.listen(topic)
  a.send(topic, ...numbered(BURST))
  await b.receives(topic, 1)
  a.send(topic, ...numbered(BURST))
  b.transport.leave(topic)
  const received = b.host.bytes(topic).length
  a.send(topic, ...numbered(BURST))
  await scene.settle(a, b)
  assert.strictEqual(b.host.bytes(topic).length, received, 'no frame comes after leave returned')
}

async function leavesInsideReceive(scene: Scene): Promise<void> {
  const topic = scene.topic()
  const a = await scene.open()
  const b = await scene.listen(topic)
  b.host.onReceive = () => {
    if (b.host.bytes(topic).length === 10) b.transport.leave(topic)
  }
  a.send(topic, ...numbered(BURST))
  await b.receives(topic, 10)
  await scene.settle(a, b)
  assert.strictEqual(b.host.bytes(topic).length, 10, 'leaving at the tenth frame makes it the last')
}

async function rejoins(scene: Scene): Promise<void> {
  const topic = scene.topic()
  const a = await scene.open()
  const b = await scene.listen(topic)
  for (let round = 0; round < 5; round += 1) {
    b.transport.leave(topic)
    a.send(topic, 'between')
    await a.flush()
    await b.join(topic)
  }
  const sent = numbered(50)
  a.send(topic, ...sent)
  await b.receives(topic, sent.length)
  await scene.settle(a, b)
  assert.deepStrictEqual(b.host.texts(topic).sort(), sent.sort(), 'each frame once, none from between')
}

async function abortsJoin(scene: Scene): Promise<void> {
  const topics = [scene.topic('aborted before'), scene.topic('aborted after')] as const
  const a = await scene.open()
  const b = await scene.open()
  await isRefused('a join aborted before the call', b.join(topics[0], AbortSignal.abort(new Error('before'))))
  const giveUp = new AbortController()
  const joining = b.join(topics[1], giveUp.signal)
  giveUp.abort(new Error('after'))
  await isRefused('a join aborted right after the call', joining)
  for (const topic of topics) a.send(topic, 'lost')
  await scene.settle(a, b)
  for (const topic of topics) {
    await b.join(topic)
    a.send(topic, 'received')
    await b.receives(topic, 1)
  }
  await scene.settle(a, b)
  for (const topic of topics)
    assert.deepStrictEqual(b.host.texts(topic), ['received'], `${topic} is received once`)
}

async function leavesUnconfirmed(scene: Scene): Promise<void> {
  const topic = scene.topic()
  const a = await scene.open()
  const b = await scene.open()
  const joining = b.transport.join(topic, endless())
  b.transport.leave(topic)
  await within(scene.waitMs, 'a join that was left to settle', Promise.allSettled([joining]))
  a.send(topic, 'lost')
  await scene.settle(a, b)
  await b.join(topic)
  a.send(topic, 'received')
  await b.receives(topic, 1)
  await scene.settle(a, b)
  assert.deepStrictEqual(b.host.texts(topic), ['received'], 'only what was sent after the second join')
}

async function rejectsJoinUnlessOpen(scene: Scene): Promise<void> {
  const b = scene.make()
  await isRefused('a join before open', b.join(scene.topic()))
  await b.open()
  await b.close()
  await isRefused('a join after close', b.join(scene.topic()))
  await b.open()
  await scene.backend.down()
  await b.fallen()
  await isRefused('a join after down', b.join(scene.topic()))
}

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, nth) => `frame ${nth}`)
}
