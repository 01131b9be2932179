import assert from 'node:assert'
import type { Topic } from 'rivulet'
import { isSameBytes } from './bytes.ts'
import type { Check } from './check.ts'
import type { Peer } from './peer.ts'
import type { Scene } from './scene.ts'

const ORDERED_FRAMES = 2000
const UNORDERED_ROUNDS = 5
// Small enough for a broker that drops the unread frames of a slow subscriber (mosquitto: beyond 1000).
const BURST = 200
// A larger limit is too costly to try; there the claim is that a frame of a megabyte passes.
const MAX_TRIED_BYTES = 16 * 1024 * 1024
const LARGE_BYTES = 1_000_000

/** Checks that each capability holds if claimed, and does not hold if denied. */
export const capabilityChecks: readonly Check[] = [
  { name: 'states its name and capabilities once open', run: statesCapabilities },
  { name: 'brings own frames back exactly when echoes is true', run: echoesAsClaimed },
  { name: 'keeps the order of frames exactly when ordered is true', run: ordersAsClaimed },
  { name: 'takes frames up to maxFrameBytes and survives a larger one', run: limitsAsClaimed },
  { name: 'receives frames from elsewhere exactly when scope says so', run: reachesAsClaimed },
  { name: 'gives prefixes of 12 hex digits, no two alike, or none', run: givesPrefixes },
]

async function statesCapabilities(scene: Scene): Promise<void> {
  const { transport } = await scene.open()
  const { scope, echoes, ordered, watch } = transport.capabilities
  const maxFrameBytes = transport.capabilities.maxFrameBytes(scene.topic())
  assert.match(transport.name, /\S/, 'name is not blank')
  assert.ok(['process', 'host', 'network'].includes(scope), `scope is "${scope}"`)
  assert.strictEqual(typeof echoes, 'boolean', 'echoes is a boolean')
  assert.strictEqual(typeof ordered, 'boolean', 'ordered is a boolean')
  assert.strictEqual(typeof watch, 'boolean', 'watch is a boolean')
  const isLimit = Number.isSafeInteger(maxFrameBytes) && maxFrameBytes > 0
  const form = 'a whole number of bytes, or Infinity where the backend enforces no frame size'
  assert.ok(isLimit || maxFrameBytes === Infinity, `maxFrameBytes is ${maxFrameBytes}, not ${form}`)
}

async function echoesAsClaimed(scene: Scene): Promise<void> {
  const topic = scene.topic()
  const a = await scene.listen(topic)
  const b = await scene.listen(topic)
  a.send(topic, 'own')
  await b.receives(topic, 1)
  if (a.transport.capabilities.echoes) await a.receives(topic, 1)
  await scene.settle(a, a.transport.capabilities.echoes ? a : b)
  await scene.settle(b, a)
  const expected = a.transport.capabilities.echoes ? ['own'] : []
  assert.deepStrictEqual(a.host.texts(topic), expected, 'own frames come back exactly when echoes is true')
}

async function ordersAsClaimed(scene: Scene): Promise<void> {
  const topic = scene.topic()
  const a = await scene.open()
  const b = await scene.listen(topic)
  const isOrdered = a.transport.capabilities.ordered
  const rounds = isOrdered ? 1 : UNORDERED_ROUNDS
  for (let round = 0; round < rounds && isSorted(b.host.texts(topic)); round += 1) {
    await sendNumbers(a, topic, round * ORDERED_FRAMES)
    await b.receives(topic, (round + 1) * ORDERED_FRAMES)
  }
  const found = isSorted(b.host.texts(topic))
  assert.strictEqual(found, isOrdered, `ordered is ${isOrdered}, yet all frames arrived in order: ${found}`)
}

async function sendNumbers(peer: Peer, topic: Topic, first: number): Promise<void> {
  for (let sent = 0; sent < ORDERED_FRAMES; sent += 1) {
    peer.send(topic, String(first + sent))
    if (sent % BURST === BURST - 1) await peer.flush()
  }
}

function isSorted(numbers: readonly string[]): boolean {
  return numbers.every((number, index) => index === 0 || Number(numbers[index - 1]) < Number(number))
}

async function limitsAsClaimed(scene: Scene): Promise<void> {
  const topic = scene.topic()
  const a = await scene.open()
  const b = await scene.listen(topic)
  const maxFrameBytes = a.transport.capabilities.maxFrameBytes(topic)
  const isTried = maxFrameBytes <= MAX_TRIED_BYTES
  const largest = patterned(isTried ? maxFrameBytes : LARGE_BYTES)
  a.send(topic, largest)
  await b.receives(topic, 1)
  isSameBytes(`a frame of ${largest.length} bytes arrives whole`, b.host.bytes(topic)[0], largest)
  if (isTried) await survivesLarger(scene, a, b)
}

async function survivesLarger(scene: Scene, a: Peer, b: Peer): Promise<void> {
  const larger = scene.topic('larger')
  const probe = scene.topic('probe')
  await b.join(larger)
  await b.join(probe)
  const hosts = [b.host]
  a.transport.send(larger, patterned(a.transport.capabilities.maxFrameBytes(larger) + 1))
  const endMs = performance.now() + scene.waitMs
  while (!(await isReceived(a, b, probe))) {
    assert.ok(performance.now() < endMs, 'traffic goes on after a frame over maxFrameBytes, reopened or not')
    await reopenIfDown(a)
    await reopenIfDown(b, larger, probe)
    hosts.push(b.host)
  }
  await scene.settle(a, b)
  const isDelivered = hosts.some((host) => host.bytes(larger).length > 0)
  const advice = 'say Infinity where the backend enforces no frame size'
  assert.ok(!isDelivered, `a frame over maxFrameBytes is not delivered; ${advice}`)
}

async function isReceived(a: Peer, b: Peer, topic: Topic): Promise<boolean> {
  const received = b.host.bytes(topic).length
  if (a.transport.send(topic, 'still there') === 'offline') return false
  const patience = new Promise((resolve) => setTimeout(resolve, 100))
  await Promise.race([patience, b.host.until(() => b.host.bytes(topic).length > received)])
  return b.host.bytes(topic).length > received
}

async function reopenIfDown(peer: Peer, ...topics: Topic[]): Promise<void> {
  if (peer.host.downs.length === 0) return
  await peer.open()
  for (const topic of topics) await peer.join(topic)
}

async function reachesAsClaimed(scene: Scene): Promise<void> {
  const topic = scene.topic()
  const a = await scene.open()
  const b = await scene.listen(topic)
  await scene.backend.elsewhere(topic, 'from elsewhere')
  const reaches = b.transport.capabilities.scope !== 'process'
  if (reaches) await b.receives(topic, 1)
  await scene.settle(a, b)
  const expected = reaches ? ['from elsewhere'] : []
  assert.deepStrictEqual(b.host.texts(topic), expected, `scope is ${b.transport.capabilities.scope}`)
}

function patterned(length: number): Uint8Array {
  return new Uint8Array(length).map((_, index) => index % 251)
}

async function givesPrefixes(scene: Scene): Promise<void> {
  const [a, b] = [await scene.open(), await scene.open()]
  const given = [a, b].flatMap(({ transport }) => transport.capabilities.prefixes ?? [])
  for (const prefix of given) assert.match(prefix, /^[0-9a-f]{12}$/, 'a prefix has 12 lower-case hex digits')
  assert.strictEqual(new Set(given).size, given.length, 'no two hubs have the same prefix')
}
