import assert from 'node:assert'
import type { Topic } from 'rivulet'
import type { Check } from './check.ts'
import type { Peer } from './peer.ts'
import type { Scene } from './scene.ts'

/** Checks of the result and the effect of `send` in every state. */
export const sendChecks: readonly Check[] = [
  { name: 'says offline before open, after close and after down', run: saysOffline },
  { name: 'never throws from send or leave, whatever its state', run: neverThrows },
  { name: 'sends nothing later that it called offline', run: queuesNothing },
]

async function saysOffline(scene: Scene): Promise<void> {
  const topic = scene.topic()
  const a = scene.make()
  assert.strictEqual(a.transport.send(topic, 'x'), 'offline', 'before open')
  await a.open()
  assert.strictEqual(a.transport.send(topic, 'x'), 'sent', 'while open')
  await a.close()
  assert.strictEqual(a.transport.send(topic, 'x'), 'offline', 'after close')
  await a.open()
  await scene.backend.down()
  await a.fallen()
  assert.strictEqual(a.transport.send(topic, 'x'), 'offline', 'after down')
}

async function neverThrows(scene: Scene): Promise<void> {
  const a = scene.make()
  const poke = () => pokeAt(a, scene.topic())
  poke()
  const opening = a.open()
  poke()
  await opening
  poke()
  const closing = a.close()
  poke()
  await closing
  poke()
  await a.open()
  await scene.backend.down()
  poke()
  await a.fallen()
  poke()
}

function pokeAt({ transport }: Peer, topic: Topic): void {
  for (const frame of ['', 'text', new Uint8Array(0), new Uint8Array([0xff, 0, 0x7b])]) {
    assert.doesNotThrow(() => transport.send(topic, frame), 'send')
  }
  assert.doesNotThrow(() => transport.leave(topic), 'leave of a topic that is not joined')
}

async function queuesNothing(scene: Scene): Promise<void> {
  const topic = scene.topic()
  const a = scene.make()
  const refused: string[] = []
  const trySend = (text: string) => {
    if (a.transport.send(topic, text) === 'offline') refused.push(text)
  }
  const b = await scene.listen(topic)
  trySend('before open')
  const opening = a.open()
  trySend('while opening')
  await opening
  await a.close()
  trySend('after close')
  await scene.backend.down()
  await b.fallen()
  trySend('while away')
  await scene.backend.up()
  const early = b.host
  await b.open()
  await b.join(topic)
  await a.open()
  await scene.settle(a, b)
  const received = [...early.texts(topic), ...b.host.texts(topic)]
  assert.deepStrictEqual(
    received.filter((text) => refused.includes(text)),
    [],
    'what was refused stays refused',
  )
}
