import assert from 'node:assert'
import type { Check } from './check.ts'
import type { Scene } from './scene.ts'
import { isRefused } from './within.ts'

const ROUNDS = 3
const BURST = 300

/** Checks of the barrier, and of its rejections. */
export const flushChecks: readonly Check[] = [
  { name: 'has delivered everything when flush resolves', run: isBarrier },
  { name: 'rejects a flush whose signal is aborted', run: rejectsAbortedFlush },
  { name: 'rejects a flush unless open', run: rejectsFlushUnlessOpen },
]

async function isBarrier(scene: Scene): Promise<void> {
  const topic = scene.topic()
  const a = await scene.open()
  const b = await scene.listen(topic)
  const c = await scene.open()
  const sent: string[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    const frames = Array.from({ length: BURST }, (_, nth) => `round ${round} frame ${nth}`)
    a.send(topic, ...frames)
    await a.flush()
    // Closed without time to send: frames that arrive had left before.
    await a.close(AbortSignal.abort())
    sent.push(...frames)
    await b.receives(topic, sent.length)
    await a.open()
  }
  await scene.settle(c, b)
  assert.deepStrictEqual(b.host.texts(topic).sort(), sent.sort(), 'each frame once')
}

async function rejectsAbortedFlush(scene: Scene): Promise<void> {
  const a = await scene.open()
  a.send(scene.topic(), 'x')
  await isRefused('a flush aborted before the call', a.flush(AbortSignal.abort(new Error('before'))))
  const giveUp = new AbortController()
  const flushing = a.flush(giveUp.signal)
  giveUp.abort(new Error('after'))
  await isRefused('a flush aborted right after the call', flushing)
  await a.flush()
  await scene.talk(a, await scene.open())
}

async function rejectsFlushUnlessOpen(scene: Scene): Promise<void> {
  const a = scene.make()
  await isRefused('a flush before open', a.flush())
  await a.open()
  await a.close()
  await isRefused('a flush after close', a.flush())
  await a.open()
  await scene.backend.down()
  await a.fallen()
  await isRefused('a flush after down', a.flush())
}
