import assert from 'node:assert'
import type { Check } from './check.ts'
import { endless, type Peer } from './peer.ts'
import type { Scene } from './scene.ts'
import { within } from './within.ts'

const BURST = 300
// No barrier can show what a closed transport still has in a timer.
const LINGER_MS = 20

/** Checks of closing in every state, and of the absence of calls afterwards. */
export const closeChecks: readonly Check[] = [
  { name: 'closes when it was never open', run: (scene) => closesFrom(scene, neverOpen) },
  { name: 'closes while it is opening', run: (scene) => closesFrom(scene, opening) },
  { name: 'closes when it is open', run: (scene) => closesFrom(scene, isOpen) },
  { name: 'closes after the backend went away', run: (scene) => closesFrom(scene, fallen) },
  { name: 'closes when it is closed', run: (scene) => closesFrom(scene, closed) },
  { name: 'closes twice at once', run: closesTwice },
  { name: 'closes at once when the signal is aborted', run: closesAborted },
  { name: 'sends the frames that were sent before close', run: handsOver },
  { name: 'calls nothing of its host after close', run: fallsSilent },
  { name: 'opens again after close without frames of before', run: opensAfresh },
]

async function closesFrom(scene: Scene, reach: (scene: Scene, peer: Peer) => Promise<void>): Promise<void> {
  const a = scene.make()
  await reach(scene, a)
  await a.close()
  assert.strictEqual(a.transport.send(scene.topic(), 'x'), 'offline', 'it is closed')
  await scene.backend.up()
  await a.open()
  await scene.talk(a, await scene.open())
}

async function neverOpen(): Promise<void> {}

async function opening(scene: Scene, peer: Peer): Promise<void> {
  const settled = Promise.allSettled([peer.transport.open(peer.host, endless())])
  await peer.close()
  await within(scene.waitMs, 'an open that was closed to settle', settled)
}

async function isOpen(_scene: Scene, peer: Peer): Promise<void> {
  await peer.open()
}

async function fallen(scene: Scene, peer: Peer): Promise<void> {
  await peer.open()
  await scene.backend.down()
  await peer.fallen()
}

async function closed(_scene: Scene, peer: Peer): Promise<void> {
  await peer.open()
  await peer.close()
}

async function closesTwice(scene: Scene): Promise<void> {
  const a = await scene.open()
  a.send(scene.topic(), 'x')
  await Promise.all([a.close(), a.close()])
  await a.open()
  await scene.talk(a, await scene.open())
}

async function closesAborted(scene: Scene): Promise<void> {
  const a = await scene.open()
  a.send(scene.topic(), 'x')
  const giveUp = new AbortController()
  const closing = a.close(giveUp.signal)
  giveUp.abort(new Error('out of time'))
  await closing
  await a.open()
  await a.close(AbortSignal.abort(new Error('no time')))
  await a.open()
  await scene.talk(a, await scene.open())
}

async function handsOver(scene: Scene): Promise<void> {
  const topic = scene.topic()
  const a = await scene.open()
  const b = await scene.listen(topic)
  const c = await scene.open()
  const sent = Array.from({ length: BURST }, (_, nth) => `frame ${nth}`)
  a.send(topic, ...sent)
  await a.close()
  await b.receives(topic, sent.length)
  await scene.settle(c, b)
  assert.deepStrictEqual(b.host.texts(topic).sort(), sent.sort(), 'each frame once')
}

async function fallsSilent(scene: Scene): Promise<void> {
  const topic = scene.topic()
  const a = await scene.open()
  const b = await scene.listen(topic)
  const c = await scene.listen(topic)
  for (let nth = 0; nth < BURST; nth += 1) a.send(topic, `early ${nth}`)
  await b.receives(topic, 1)
  for (let nth = 0; nth < BURST; nth += 1) a.send(topic, `early too ${nth}`)
  await b.close()
  const { calls } = b.host
  for (let nth = 0; nth < BURST; nth += 1) a.send(topic, `late ${nth}`)
  await c.receives(topic, 3 * BURST)
  await scene.settle(a, c)
  await scene.backend.down()
  await c.fallen()
  await scene.backend.up()
  await scene.talk(await scene.open(), await scene.open())
  await new Promise((resolve) => setTimeout(resolve, LINGER_MS))
  assert.strictEqual(b.host.calls, calls, 'the host of a closed transport is not called')
  assert.strictEqual(b.host.downs.length, 0, 'closing is no outage')
}

async function opensAfresh(scene: Scene): Promise<void> {
  const [kept, dropped] = [scene.topic('kept'), scene.topic('dropped')]
  const a = await scene.open()
  const b = await scene.listen(kept, dropped)
  await b.close()
  const before = b.host
  const { calls } = before
  await b.open()
  await b.join(kept)
  a.send(kept, 'after')
  a.send(dropped, 'after')
  await b.receives(kept, 1)
  await scene.settle(a, b)
  assert.strictEqual(before.calls, calls, 'the earlier host is not called')
  assert.deepStrictEqual(b.host.texts(kept), ['after'], 'a topic joined again is received once')
  assert.deepStrictEqual(b.host.texts(dropped), [], 'a join ends with its connection')
}
