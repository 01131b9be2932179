import assert from 'node:assert'
import type { Check } from './check.ts'
import type { Scene } from './scene.ts'
import { isRefused } from './within.ts'

/** Checks of opening, aborted or refused, and of opening again without frames of before. */
export const openChecks: readonly Check[] = [
  { name: 'rejects an open whose signal is aborted', run: rejectsAbortedOpen },
  { name: 'rejects open while the backend is away, and opens when it is back', run: opensWhenBack },
  { name: 'reports once that the backend went away', run: reportsDown },
  { name: 'opens again after down without frames of before', run: opensAfresh },
]

async function rejectsAbortedOpen(scene: Scene): Promise<void> {
  const a = scene.make()
  await isRefused('an open aborted before the call', a.open(AbortSignal.abort(new Error('before'))))
  const first = a.host
  const giveUp = new AbortController()
  const opening = a.open(giveUp.signal)
  giveUp.abort(new Error('after'))
  await isRefused('an open aborted right after the call', opening)
  const second = a.host
  assert.strictEqual(a.transport.send(scene.topic(), 'x'), 'offline', 'an aborted open leaves it closed')
  await a.open()
  await scene.talk(a, await scene.open())
  assert.strictEqual(first.calls + second.calls, 0, 'the host of an aborted open is not called')
}

async function opensWhenBack(scene: Scene): Promise<void> {
  const a = scene.make()
  await scene.backend.down()
  await isRefused('an open while the backend is away', a.open())
  assert.strictEqual(a.transport.send(scene.topic(), 'x'), 'offline', 'a refused open leaves it closed')
  await scene.backend.up()
  await a.open()
  await scene.talk(a, await scene.open())
}

async function reportsDown(scene: Scene): Promise<void> {
  const peers = [await scene.open(), await scene.open()]
  await scene.backend.down()
  for (const peer of peers) await peer.fallen()
  const hosts = peers.map(({ host }) => host)
  await scene.backend.up()
  const [a, b] = [await scene.open(), await scene.open()]
  await scene.talk(a, b)
  assert.deepStrictEqual(
    hosts.map(({ downs }) => downs.length),
    [1, 1],
    'each host is notified once',
  )
}

async function opensAfresh(scene: Scene): Promise<void> {
  const [kept, dropped] = [scene.topic('kept'), scene.topic('dropped')]
  const a = await scene.open()
  const b = await scene.listen(kept, dropped)
  const before = b.host
  await scene.backend.down()
  await Promise.all([a.fallen(), b.fallen()])
  await scene.backend.up()
  await a.open()
  await b.open()
  await b.join(kept)
  a.send(kept, 'after')
  a.send(dropped, 'after')
  await b.receives(kept, 1)
  await scene.settle(a, b)
  assert.strictEqual(before.frames.length, 0, 'the earlier host receives nothing')
  assert.deepStrictEqual(b.host.texts(kept), ['after'], 'a topic joined again is received once')
  assert.deepStrictEqual(b.host.texts(dropped), [], 'a join ends with its connection')
}
